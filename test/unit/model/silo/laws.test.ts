import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LocalPlan } from '../../../../shared/model/local-trainer.ts';
import { denseEngine } from '../../../../shared/model/silo/dense-engine.ts';
import { recordDp } from '../../../../shared/model/silo/record-dp.ts';
import { recordEntries } from '../../../../shared/model/silo/record-entries.ts';
import type { SiloDefence } from '../../../../shared/model/silo/silo-defence.ts';
import type { SiloTask } from '../../../../shared/model/silo/silo-trainer.ts';
import { disjointGroups, nonMemberships } from '../../../../shared/model/silo/split.ts';
import { siloTrainer } from '../../../../shared/model/silo/train-site.ts';
import { ModelSpec } from '../../../../shared/model/spec.ts';
import { reportedEpsilon } from '../../../../shared/privacy/accounting/accountants.ts';
import { rdpEpsilon } from '../../../../shared/privacy/accounting/rdp-accountant.ts';
import { seededRng } from '../../../../shared/random/rng.ts';
import { Delta, Seed } from '../../../../shared/units.ts';
import { refusalOf } from '../../../support/temporary.ts';
import { distance, norm, randomTask } from '../samples.ts';

const rng = (seed: number) => seededRng(Seed.parse(seed));
const seeds = fc.integer({ min: 1, max: 10_000 });

describe('groups of users', () => {
  test('are disjoint, cover everybody, and differ in size by one at most', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.integer({ min: 1, max: 12 }), seeds, (numUsers, numGroups, seed) => {
        const groups = disjointGroups(numUsers, numGroups, rng(seed));
        const sizes = Array.from(
          { length: numGroups },
          (_, group) => groups.filter((own) => own === group).length,
        );
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(numUsers);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('come out every way: no user is tied to a group', () => {
    const seen = new Set(Array.from({ length: 40 }, (_, seed) => disjointGroups(3, 3, rng(seed + 1)).join()));
    expect(seen.size).toBe(6);
  });
});

describe('non-members of submodels', () => {
  const split = fc.integer({ min: 2, max: 25 }).chain((submodels) =>
    fc.record({
      submodels: fc.constant(submodels),
      nonMemberOf: fc.integer({ min: 1, max: submodels - 1 }),
    }),
  );
  const ids = fc.uniqueArray(fc.string({ maxLength: 5 }), { minLength: 1, maxLength: 12 });

  test('every user is one of exactly so many, all different and known', () => {
    fc.assert(
      fc.property(ids, split, seeds, (users, options, seed) => {
        for (const own of nonMemberships(users, options, rng(seed))) {
          expect(new Set(own).size).toBe(options.nonMemberOf);
          expect(own.every((submodel) => submodel >= 0 && submodel < options.submodels)).toBe(true);
        }
      }),
    );
  });

  test("a user's do not depend on who else is there, nor in which order", () => {
    fc.assert(
      fc.property(ids, split, seeds, (users, options, seed) => {
        const all = nonMemberships(users, options, rng(seed));
        const reversed = nonMemberships(users.toReversed(), options, rng(seed)).toReversed();
        expect(reversed).toEqual(all);
        expect(nonMemberships(users.slice(-1), options, rng(seed))).toEqual(all.slice(-1));
      }),
    );
  });
});

const spec = ModelSpec.parse({
  inputShape: [6],
  layers: [{ type: 'dense', units: 5, activation: 'tanh' }],
  output: { type: 'softmax', classes: 3 },
});
const recordPrivacy: SiloDefence = {
  ...{ type: 'record-dp-sgd', clipNorm: 0.5, noiseMultiplier: 1, samplingRate: 0.5, steps: 2 },
  ...{ recordsPerStep: 5, delta: 1e-5 },
};
const defences: readonly SiloDefence[] = [
  { type: 'pooled' },
  { type: 'mist', groups: 3, weight: 1, pullEpochs: 1 },
  { type: 'selena', submodels: 4, nonMemberOf: 2 },
  { type: 'distillation', temperature: 1, keep: 1 },
  { type: 'adversarial', weight: 1, units: 4, attackSteps: 1, attackLearningRate: 0.5 },
  recordPrivacy,
];

function taskOf(silo: SiloDefence, change: Partial<SiloTask> = {}): SiloTask {
  const plan = LocalPlan.parse({ epochs: 2, batchSize: 4, learningRate: 0.3, silo });
  return {
    ...randomTask(spec, [3, 1, 4, 2, 5, 3, 2, 4], {}),
    users: Int32Array.of(0, 2, 3, 4, 6, 7),
    reference: Int32Array.of(1, 5),
    plan: { ...plan, silo },
    ...change,
  };
}

async function trained(task: SiloTask): Promise<Float32Array> {
  const { parameters } = await (await siloTrainer(spec, { provider: 'auto', backend: 'auto' })).train(task);
  return parameters;
}

describe.each(defences)('$type', (silo) => {
  test('is repeatable, moves, and leaves what it was given alone', async () => {
    const task = taskOf(silo);
    const before = task.parameters.slice();
    const first = await trained(task);
    expect(await trained(task)).toEqual(first);
    expect(distance(first, task.parameters)).toBeGreaterThan(0);
    expect(task.parameters).toEqual(before);
  });

  test('without anybody gives the received model back, and with noise nothing but noise', async () => {
    const task = taskOf(silo, { users: new Int32Array(0) });
    const alone = await trained(task);
    if (silo.type !== 'record-dp-sgd') expect(alone).toEqual(task.parameters);
    else expect(distance(alone, task.parameters)).toBeGreaterThan(0);
  });

  test('users who were not drawn do not matter', async () => {
    const task = taskOf(silo);
    const { shard } = task;
    const features = shard.features.slice();
    // User 1 is a reference user, so only the two defences that need such see her.
    const at = shard.userOffsets[1]! * shard.numFeatures;
    features.fill(0.77, at, at + shard.numFeatures);
    const other = await trained({ ...task, shard: { ...shard, features } });
    const seesReference = silo.type === 'distillation' || silo.type === 'adversarial';
    expect(distance(other, await trained(task)) > 0).toBe(seesReference);
  });

  test('a record that the model cannot take is left out, and its user is not', async () => {
    const task = taskOf(silo);
    const { shard } = task;
    const row = shard.userOffsets[3]! - 1;
    const features = shard.features.slice();
    features[row * shard.numFeatures] = NaN;
    const trainer = await siloTrainer(spec, { provider: 'auto', backend: 'auto' });
    const result = await trainer.train({ ...task, shard: { ...shard, features } });
    expect(result.unusable).toBe(1);
    expect(result.parameters.every(Number.isFinite)).toBe(true);
  });

  test('what does not fit is refused', async () => {
    const task = taskOf(silo);
    const { shard, parameters } = task;
    const misfits = [
      { parameters: parameters.subarray(1) },
      { shard: { ...shard, numFeatures: 7 } },
      { users: Int32Array.of(2, 1) },
      { users: Int32Array.of(8) },
      { reference: Int32Array.of(5, 5) },
    ];
    for (const misfit of misfits)
      await expect(trained({ ...task, ...misfit })).rejects.toMatchObject({ code: 'WRONG_SHAPE' });
    const classes = { shard: { ...shard, numClasses: 4 } };
    await expect(trained({ ...task, ...classes })).rejects.toMatchObject({ code: 'MODEL_INVALID' });
  });
});

test('distillation and adversarial training are refused where a site has no reference users; others take it', async () => {
  for (const silo of defences) {
    const training = trained(taskOf(silo, { reference: new Int32Array(0) }));
    if (silo.type !== 'distillation' && silo.type !== 'adversarial') await training;
    else
      expect(await refusalOf(training)).toMatchObject({
        code: 'POLICY_REFUSED',
        message: expect.stringContaining(`${silo.type} takes the reference users`) as unknown,
      });
  }
});

test('distillation reads no label of its public records', async () => {
  const task = taskOf({ type: 'distillation', temperature: 1, keep: 1 });
  const { shard } = task;
  const labels = shard.labels.slice();
  labels.fill(0, shard.userOffsets[1], shard.userOffsets[2]);
  labels.fill(2, shard.userOffsets[5], shard.userOffsets[6]);
  expect(await trained({ ...task, shard: { ...shard, labels } })).toEqual(await trained(task));
});

test('of a single user nothing pulls: MIST is plain training on her', async () => {
  const alone = { users: Int32Array.of(4) };
  const all = LocalPlan.parse({ epochs: 2, batchSize: 'all', learningRate: 0.3 });
  const plan = (silo: SiloDefence): SiloTask => taskOf(silo, { ...alone, plan: { ...all, silo } });
  const pooled = await trained(plan({ type: 'pooled' }));
  expect(await trained(plan({ type: 'mist', groups: 3, weight: 9, pullEpochs: 2 }))).toEqual(pooled);
});

describe('DP-SGD on records', () => {
  const wide = ModelSpec.parse({ inputShape: [400], output: { type: 'softmax', classes: 10 } });
  const settings = { ...recordPrivacy, type: 'record-dp-sgd', steps: 1 } as const;

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
      rng: rng(seed),
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
