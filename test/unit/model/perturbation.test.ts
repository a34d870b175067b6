import { describe, expect, test } from 'vitest';
import { loadBackend } from '../../../shared/model/backend.ts';
import { Defence } from '../../../shared/model/defence.ts';
import { generalTrainer } from '../../../shared/model/general-trainer.ts';
import { perturber, symmetricBeta } from '../../../shared/model/perturbation.ts';
import { localTrainer } from '../../../shared/model/trainer.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';
import { plainTrainer } from '../../support/plain-dense/plain-trainer.ts';
import { denseSpecs, distance, generalSpecs, norm, ragged, randomDefences, randomTask } from './samples.ts';

const rng = () => seededRng(Seed.parse(5));
const step = {
  features: Float32Array.from({ length: 40_000 }, (_, i) => i % 10),
  labels: Int32Array.from({ length: 4000 }, (_, row) => row % 3),
};

function perturbed(defence: object, numOutputInputs = 5) {
  return perturber(Defence.parse(defence), numOutputInputs, rng)?.(step);
}

describe('a step under', () => {
  test('no random defence is left alone, and asks for no stream', () => {
    for (const defence of [{ type: 'none' }, { type: 'hamp' }, { type: 'relaxloss', alpha: 1 }])
      expect(
        perturber(Defence.parse(defence), 3, () => {
          throw new Error('drawn');
        }),
      ).toBeUndefined();
  });

  test('mixup is a mixture of each record with one of the step, in features and labels alike', () => {
    const labelled = {
      features: Float32Array.from({ length: 12 }, (_, i) => (i % 2 === 0 ? 1 : -1) * 4 ** Math.floor(i / 2)),
      labels: Int32Array.of(0, 1, 2, 3, 4, 5),
    };
    const result = perturber(Defence.parse({ type: 'mixup', concentration: 1 }), 2, rng)?.(labelled);
    const { partners, share } = result!.mixed!;
    expect([...partners].sort()).toEqual([0, 1, 2, 3, 4, 5]);
    expect(share).toBeGreaterThan(0);
    expect(share).toBeLessThan(1);
    for (const [row, partner] of partners.entries()) {
      const wanted = share * 4 ** row + (1 - share) * 4 ** partner;
      expect(result!.features[2 * row]).toBeCloseTo(wanted, 3);
      expect(result!.features[2 * row + 1]).toBeCloseTo(-wanted, 3);
    }
    expect(result!.labels).toBe(labelled.labels);
  });

  test('input noise has mean 0 and the standard deviation asked for, in features alone', () => {
    const { features, labels, mixed, mask, noise: deep } = perturbed({ type: 'input-noise', stdDev: 0.5 })!;
    const noise = features.map((value, i) => value - step.features[i]!);
    const mean = noise.reduce((sum, value) => sum + value, 0) / noise.length;
    const variance = noise.reduce((sum, value) => sum + value ** 2, 0) / noise.length;
    // Five standard errors of each.
    expect(Math.abs(mean)).toBeLessThan((5 * 0.5) / 200);
    expect(Math.abs(variance - 0.25)).toBeLessThan(5 * 0.25 * Math.sqrt(2 / 40_000));
    expect([labels, mixed, mask, deep]).toEqual([step.labels, undefined, undefined, undefined]);
  });

  test('dropout drops the rate asked for and keeps the mean', () => {
    const { mask, features } = perturbed({ type: 'dropout', rate: 0.2 })!;
    expect(mask).toHaveLength(20_000);
    const dropped = mask!.filter((factor) => factor === 0).length;
    expect(Math.abs(dropped / 20_000 - 0.2)).toBeLessThan(5 * Math.sqrt(0.16 / 20_000));
    expect(new Set(mask)).toEqual(new Set([0, Math.fround(1.25)]));
    expect(features).toEqual(step.features);
  });

  test('representation noise has mean 0 and the standard deviation asked for, beside the records', () => {
    const { noise, features, mask } = perturbed({ type: 'representation-noise', stdDev: 0.5 }, 10)!;
    expect(noise).toHaveLength(40_000);
    const mean = noise!.reduce((sum, value) => sum + value, 0) / 40_000;
    const variance = noise!.reduce((sum, value) => sum + value ** 2, 0) / 40_000;
    expect(Math.abs(mean)).toBeLessThan((5 * 0.5) / 200);
    expect(Math.abs(variance - 0.25)).toBeLessThan(5 * 0.25 * Math.sqrt(2 / 40_000));
    expect([features, mask]).toEqual([step.features, undefined]);
  });

  test('several changes of one kind each differs from step to step', () => {
    const perturb = perturber(Defence.parse({ type: 'dropout', rate: 0.5 }), 5, rng)!;
    expect(perturb(step).mask).not.toEqual(perturb(step).mask);
  });
});

test('shares follow Beta(a, a): moments within five standard errors', () => {
  for (const a of [0.05, 0.2, 1]) {
    const stream = rng().fork(`${a}`);
    const shares = Array.from({ length: 20_000 }, () => symmetricBeta(stream, a));
    const moment = (power: number): number =>
      shares.reduce((sum, share) => sum + (share - 0.5) ** power, 0) / shares.length;
    const variance = 1 / (4 * (2 * a + 1));
    const fourth = 3 / (16 * (2 * a + 1) * (2 * a + 3));
    expect(Math.abs(moment(1))).toBeLessThan(5 * Math.sqrt(variance / 20_000));
    expect(Math.abs(moment(2) - variance)).toBeLessThan(
      5 * Math.sqrt((fourth - variance ** 2) / 20_000) + 1e-9,
    );
    expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true);
  }
});

describe.each(denseSpecs)('%s', (_, spec) => {
  test.each(randomDefences)('$type: tfjs follows the plain loops', async (defence) => {
    const general = generalTrainer({ spec, backend: await loadBackend('cpu') });
    for (const round of [0, 1]) {
      const task = randomTask(spec, ragged, { defence, batchSize: 3, epochs: 2 }, { round });
      const wanted = await plainTrainer(spec).clippedSum(task);
      const got = await general.clippedSum(task);
      const float = 3e-7 * norm(task.parameters);
      expect(distance(got.sum, wanted.sum)).toBeLessThanOrEqual(1e-4 * norm(wanted.sum) + float);
      const plain = await plainTrainer(spec).clippedSum({ ...task, plan: { ...task.plan, defence: none } });
      expect(distance(got.sum, plain.sum)).toBeGreaterThan(1e-3 * norm(plain.sum));
    }
  });
});

const none = { type: 'none' } as const;

test.each(randomDefences)('$type: auto takes the dense provider', async (defence) => {
  const [, spec] = denseSpecs[3]!;
  const trainer = await localTrainer(spec, { provider: 'auto', backend: 'cpu' }, defence);
  expect(trainer.provider).toBe('dense');
});

test('word numbers take neither mixtures nor noise, but dropout', async () => {
  const [, spec] = generalSpecs[1]!;
  const general = generalTrainer({ spec, backend: await loadBackend('cpu') });
  for (const defence of randomDefences) {
    const task = randomTask(spec, [2], { defence, epochs: 1 });
    const isPossible = !JSON.stringify(defence).match(/mixup|input-noise/);
    const training = general.clippedSum(task);
    if (isPossible) expect((await training).norms[0]).toBeGreaterThan(0);
    else
      await expect(training).rejects.toMatchObject({
        code: 'MODEL_INVALID',
        message: expect.stringContaining('layer 0 (embedding)') as string,
      });
  }
});
