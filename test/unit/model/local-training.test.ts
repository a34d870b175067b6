import { describe, expect, test } from 'vitest';
import { selectUsers } from '../../../shared/data/partition.ts';
import { loadBackend } from '../../../shared/model/backend.ts';
import { denseTrainer } from '../../../shared/model/dense/dense-trainer.ts';
import { recordSignals } from '../../../shared/model/evaluate.ts';
import { generalTrainer } from '../../../shared/model/general-trainer.ts';
import type { LocalResult, LocalTask, LocalTrainer } from '../../../shared/model/local-trainer.ts';
import type { ModelSpec } from '../../../shared/model/spec.ts';
import { denseSpecs, distance, generalSpecs, norm, ragged, randomTask } from './samples.ts';

/** What holds for every provider, each on models of its own. */
const cases: readonly (readonly [string, ModelSpec, (spec: ModelSpec) => Promise<LocalTrainer>])[] = [
  ...denseSpecs.map(
    ([name, spec]) => [`dense: ${name}`, spec, (s: ModelSpec) => Promise.resolve(denseTrainer(s))] as const,
  ),
  ...generalSpecs.map(
    ([name, spec]) =>
      [
        `general: ${name}`,
        spec,
        async (s: ModelSpec) => generalTrainer({ spec: s, backend: await loadBackend('auto') }),
      ] as const,
  ),
];

async function updateOf(trainer: LocalTrainer, task: LocalTask, user: number): Promise<Float64Array> {
  return (await trainer.clippedSum({ ...task, users: Int32Array.of(user), clipNorm: 'unbounded' })).sum;
}

describe.each(cases)('%s', (_, spec, makeTrainer) => {
  test('one step follows the slope of the mean loss by finite differences', async () => {
    const trainer = await makeTrainer(spec);
    const task = randomTask(spec, [3], { epochs: 1, learningRate: 0.05 });
    const update = await updateOf(trainer, task, 0);
    const records = { features: task.shard.features, labels: task.shard.labels };
    const meanLoss = async (parameters: Float32Array): Promise<number> => {
      const { loss } = await recordSignals(spec, parameters, records);
      return loss.reduce((sum, value) => sum + value, 0) / loss.length;
    };
    const step = 5e-3;
    const derivative = new Float64Array(task.parameters.length);
    for (const index of task.parameters.keys()) {
      const ahead = task.parameters.map((value, i) => (i === index ? value + step : value));
      const behind = task.parameters.map((value, i) => (i === index ? value - step : value));
      derivative[index] = ((await meanLoss(ahead)) - (await meanLoss(behind))) / (2 * step);
    }
    const expected = derivative.map((value) => -0.05 * value);
    expect(distance(update, expected)).toBeLessThan(3e-3 * norm(expected));
  });

  test('a user alone and among others makes the same contribution', async () => {
    const trainer = await makeTrainer(spec);
    const task = randomTask(spec, ragged, { batchSize: 2 }, { clipNorm: 0.21 });
    const alone = await Promise.all(
      [0, 1, 3].map((user) => trainer.clippedSum({ ...task, users: Int32Array.of(user) })),
    );
    const together = await trainer.clippedSum({ ...task, users: Int32Array.of(0, 1, 3) });
    const sum = together.sum.map((_value, i) => alone.reduce((total, result) => total + result.sum[i]!, 0));
    expect(distance(together.sum, sum)).toBeLessThanOrEqual(2 ** -48 * norm(sum));
    expect([...together.norms]).toEqual(alone.map((result) => result.norms[0]));
  });

  test('the clip bounds the whole update and keeps its direction', async () => {
    const trainer = await makeTrainer(spec);
    const task = randomTask(spec, [5], { epochs: 4 });
    const update = await updateOf(trainer, task, 0);
    const clipNorm = norm(update) / 3;
    const clipped = await trainer.clippedSum({ ...task, clipNorm });
    expect(clipped.norms[0]).toBeCloseTo(norm(update), 6);
    expect(norm(clipped.sum)).toBeLessThanOrEqual(clipNorm);
    const third = update.map((value) => value / 3);
    expect(distance(clipped.sum, third)).toBeLessThan(1e-6 * clipNorm);
    const loose = await trainer.clippedSum({ ...task, clipNorm: 1.01 * norm(update) });
    expect(loose.sum).toEqual(update);
  });

  test('a user with a non-finite record contributes zero and changes nobody else', async () => {
    const trainer = await makeTrainer(spec);
    const task = randomTask(spec, [2, 3, 2], {});
    for (const bad of [NaN, Infinity]) {
      const features = task.shard.features.slice();
      features[3 * task.shard.numFeatures] = bad;
      const spoilt = { ...task, shard: { ...task.shard, features } };
      const result = await trainer.clippedSum(spoilt);
      const others = await trainer.clippedSum({ ...task, users: Int32Array.of(0, 2) });
      expect(result.nonFinite).toBe(1);
      expect([...result.norms]).toEqual([others.norms[0], 0, others.norms[1]]);
      expect(result.sum).toEqual(others.sum);
    }
  });

  test('a weight scales the clipped update; norms and other users stay', async () => {
    const trainer = await makeTrainer(spec);
    const task = randomTask(spec, ragged, { batchSize: 2 }, { clipNorm: 0.21 });
    const alone = async (user: number, weights?: Float64Array): Promise<LocalResult> =>
      trainer.clippedSum({ ...task, users: Int32Array.of(user), weights });
    const weights = Float64Array.of(0.5, 1, 178956970 / 2 ** 29, 0.25);
    for (const user of task.users) {
      const [plain, weighted] = [await alone(user), await alone(user, weights)];
      const scaled = plain.sum.map((value) => value * weights[user]!);
      expect(distance(weighted.sum, scaled)).toBeLessThanOrEqual(2 ** -50 * norm(scaled));
      expect(norm(weighted.sum)).toBeLessThanOrEqual(weights[user]! * 0.21);
      expect(weighted.norms).toEqual(plain.norms);
    }
    const { sum } = await trainer.clippedSum({ ...task, weights });
    const parts = await Promise.all([...task.users].map((user) => alone(user, weights)));
    const total = sum.map((_value, i) => parts.reduce((value, part) => value + part.sum[i]!, 0));
    expect(distance(sum, total)).toBeLessThanOrEqual(2 ** -48 * norm(total));
    const ones = await trainer.clippedSum({ ...task, weights: new Float64Array(4).fill(1) });
    expect(ones).toEqual(await trainer.clippedSum(task));
  });

  test("a user's steps depend on that user alone, not on who stands before her in the shard", async () => {
    const trainer = await makeTrainer(spec);
    const task = randomTask(spec, [3, 2, 6], { batchSize: 2 });
    const users = Int32Array.of(1, 2);
    const without = { ...task, shard: selectUsers(task.shard, users), users: Int32Array.of(0, 1) };
    expect(await trainer.clippedSum(without)).toEqual(await trainer.clippedSum({ ...task, users }));
  });

  test('no users make an empty sum, and records above the limit do not matter', async () => {
    const trainer = await makeTrainer(spec);
    const task = randomTask(spec, [4], { maxRecordsPerUser: 2 });
    const none = await trainer.clippedSum({ ...task, users: new Int32Array() });
    expect(none.sum).toEqual(new Float64Array(task.parameters.length));
    const short = { ...task, shard: { ...task.shard, userOffsets: Int32Array.of(0, 2) } };
    expect(await updateOf(trainer, task, 0)).toEqual(await updateOf(trainer, short, 0));
  });

  test('a task that does not fit the model is refused', async () => {
    const trainer = await makeTrainer(spec);
    const task = randomTask(spec, [1, 1], {});
    const { shard, parameters } = task;
    const misfits = [
      { parameters: parameters.subarray(1) },
      { shard: { ...shard, numFeatures: shard.numFeatures + 1 } },
      { users: Int32Array.of(1, 0) },
      { users: Int32Array.of(2) },
      { weights: Float64Array.of(1) },
      ...[0, -0.5, 1.001, NaN, Infinity].map((weight) => ({ weights: Float64Array.of(1, weight) })),
    ];
    for (const misfit of misfits) {
      await expect(trainer.clippedSum({ ...task, ...misfit })).rejects.toMatchObject({ code: 'WRONG_SHAPE' });
    }
    const classes = { shard: { ...shard, numClasses: 9 } };
    await expect(trainer.clippedSum({ ...task, ...classes })).rejects.toMatchObject({
      code: 'MODEL_INVALID',
    });
  });
});
