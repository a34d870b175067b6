import { expect, test } from 'vitest';
import { denseTrainer } from '../../../shared/model/dense/dense-trainer.ts';
import { denseSpecs, randomDefences, randomTask } from './samples.ts';

const [, spec] = denseSpecs[7]!;
const recordCounts = Array.from({ length: 40 }, (_, user) => user % 7);

test('one, two and four threads give the same bits, round after round', async () => {
  const trainers = [1, 2, 4].map((workers) => denseTrainer(spec, { workers, groupBytes: 3000 }));
  for (const round of [0, 1]) {
    const task = randomTask(spec, recordCounts, { epochs: 2, batchSize: 3 }, { round, clipNorm: 0.3 });
    const shard = { ...task.shard, features: task.shard.features.map((value) => (1 + round) * value) };
    const [inline, ...threads] = await Promise.all(
      trainers.map((trainer) => trainer.clippedSum({ ...task, shard })),
    );
    for (const result of threads) expect(result).toEqual(inline);
  }
});

test.each(randomDefences)('$type: what is drawn does not depend on threads or groups', async (defence) => {
  const task = randomTask(spec, recordCounts, { epochs: 2, batchSize: 3, defence }, { clipNorm: 0.3 });
  const one = await denseTrainer(spec, { workers: 1, groupBytes: 3000 }).clippedSum(task);
  expect(await denseTrainer(spec, { workers: 2, groupBytes: 3000 }).clippedSum(task)).toEqual(one);
  const { norms } = await denseTrainer(spec, { workers: 1, groupBytes: 100_000 }).clippedSum(task);
  expect(norms).toEqual(one.norms);
});

test('a task that fails leaves the threads usable', async () => {
  const trainer = denseTrainer(spec, { workers: 2, groupBytes: 1000 });
  const task = randomTask(spec, recordCounts, {}, { clipNorm: 0.3 });
  const broken = { ...task, plan: { ...task.plan, batchSize: 2 }, rng: { ...task.rng, fork: fail } };
  await expect(trainer.clippedSum(broken)).rejects.toThrow('no fork');
  expect(await trainer.clippedSum(task)).toEqual(
    await denseTrainer(spec, { workers: 1, groupBytes: 1000 }).clippedSum(task),
  );
});

function fail(): never {
  throw new Error('no fork');
}
