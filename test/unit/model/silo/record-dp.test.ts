import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { denseEngine } from '../../../../shared/model/silo/dense-engine.ts';
import { recordDp } from '../../../../shared/model/silo/record-dp.ts';
import { recordEntries } from '../../../../shared/model/silo/record-entries.ts';
import { ModelSpec } from '../../../../shared/model/spec.ts';
import { reportedEpsilon } from '../../../../shared/privacy/accounting/accountants.ts';
import { rdpEpsilon } from '../../../../shared/privacy/accounting/rdp-accountant.ts';
import { seededRng } from '../../../../shared/random/rng.ts';
import { Delta, Seed } from '../../../../shared/units.ts';
import { distance, norm, randomTask } from '../samples.ts';

const spec = ModelSpec.parse({
  inputShape: [6],
  layers: [{ type: 'dense', units: 5, activation: 'tanh' }],
  output: { type: 'softmax', classes: 3 },
});
const seeds = fc.integer({ min: 1, max: 10_000 });

describe('DP-SGD on records', () => {
  const wide = ModelSpec.parse({ inputShape: [400], output: { type: 'softmax', classes: 10 } });
  const settings = {
    type: 'record-dp-sgd',
    clipNorm: 0.5,
    noiseMultiplier: 1,
    samplingRate: 0.5,
    steps: 1,
    recordsPerStep: 5,
    delta: 1e-5,
  } as const;

  const roundOf = (model: ModelSpec, received: Float32Array, seed: number) =>
    ({
      descent: {
        engine: denseEngine(model),
        plan: { batchSize: 'all', learningRate: 0.3, l2: 0 },
        pause: () => Promise.resolve(),
      },
      received,
      epochs: 1,
      numClasses: model.output.type === 'softmax' ? model.output.classes : 2,
      numFeatures: model.inputShape[0] ?? 0,
      objective: { type: 'cross-entropy' },
      rng: seededRng(Seed.parse(seed)),
    }) as const;

  test('a step without records is Gaussian noise of learning rate * z * C / records per step', async () => {
    const received = new Float32Array(4010);
    const none = {
      features: new Float32Array(0),
      labels: new Int32Array(0),
      users: new Int32Array(0),
      userIds: [],
    };
    const got = await recordDp(roundOf(wide, received, 3), none, { ...settings, noiseMultiplier: 1.7 });
    const stdDev = (0.3 * 1.7 * 0.5) / 5;
    const mean = got.reduce((sum, value) => sum + value, 0) / got.length;
    // Five standard errors each.
    expect(Math.abs(mean)).toBeLessThan((5 * stdDev) / Math.sqrt(got.length));
    expect(Math.abs(norm(got) ** 2 / got.length / stdDev ** 2 - 1)).toBeLessThan(
      5 * Math.sqrt(2 / got.length),
    );
  });

  test('one record more moves a step by learning rate * C / records per step at most, and no draw of others', async () => {
    const clips = fc.constantFrom(0.01, 0.4, 3);
    await fc.assert(
      fc.asyncProperty(seeds, clips, async (seed, clipNorm) => {
        const { shard, parameters } = randomTask(spec, [9], {});
        const all = {
          features: shard.features,
          labels: shard.labels,
          users: new Int32Array(9),
          userIds: ['a'],
        };
        const fewer = {
          ...all,
          features: shard.features.subarray(0, 8 * 6),
          labels: shard.labels.subarray(0, 8),
        };
        const step = { ...settings, clipNorm, samplingRate: 1, noiseMultiplier: 1 };
        const [one, other] = [
          await recordDp(roundOf(spec, parameters, seed), all, step),
          await recordDp(roundOf(spec, parameters, seed), fewer, step),
        ];
        const moved = distance(one, other);
        expect(moved).toBeGreaterThan(0);
        expect(moved).toBeLessThanOrEqual((0.3 * clipNorm) / 5 + 1e-6);
      }),
      { numRuns: 20 },
    );
  });

  test('costs a record what so many subsampled Gaussian steps cost: the MNIST setting of TensorFlow Privacy', () => {
    // 14,063 steps at z 1.1 and q 256 / 60000: 2.3818 by PLD, 2.5967 by RDP as they convert it now.
    const entries = recordEntries({ noiseMultiplier: 1.1, samplingRate: 256 / 60_000, steps: 41 }, 343);
    expect(reportedEpsilon(entries, Delta.parse(1e-5))).toBeCloseTo(2.3818, 2);
    expect(rdpEpsilon(entries, Delta.parse(1e-5))).toBeCloseTo(2.5967, 3);
    expect(recordEntries({ noiseMultiplier: 1.1, samplingRate: 0.1, steps: 3 }, 0)).toEqual([]);
  });
});
