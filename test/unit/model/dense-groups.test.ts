import { expect, test } from 'vitest';
import { denseTrainer } from '../../../shared/model/dense/dense-trainer.ts';
import { ModelSpec } from '../../../shared/model/spec.ts';
import { plainTrainer } from '../../support/plain-dense/plain-trainer.ts';
import { distance, norm, randomTask } from './samples.ts';

/** The dense provider at sizes of real models, where layers take the form that costs less. */
const spec = ModelSpec.parse({
  inputShape: [103],
  layers: [{ type: 'dense', units: 66, activation: 'relu' }],
  output: { type: 'softmax', classes: 13 },
});
/** Ragged: most users have few records, some have many, one has none. */
const recordCounts = Array.from({ length: 61 }, (_, user) => (user === 7 ? 0 : 1 + ((user * user) % 23)));

test.each([
  ['one step', { epochs: 1 }],
  ['three steps', { epochs: 3 }],
  ['batches, decay', { epochs: 2, batchSize: 4, l2: 0.05 }],
] as const)('%s: equals the plain loop, however the users are grouped', async (_, plan) => {
  const task = randomTask(spec, recordCounts, { learningRate: 0.05, ...plan }, { clipNorm: 0.1 });
  const want = await plainTrainer(spec).clippedSum(task);
  const whole = await denseTrainer(spec).clippedSum(task);
  expect(distance(whole.sum, want.sum)).toBeLessThan(1e-5 * norm(want.sum));
  for (const [user, value] of whole.norms.entries())
    expect(Math.abs(value - want.norms[user]!)).toBeLessThan(1e-5 * value + 1e-6);
  expect(whole.norms[7]).toBe(0);
  for (const groupBytes of [1, 300_000]) {
    const cut = await denseTrainer(spec, { groupBytes }).clippedSum(task);
    expect(cut.norms).toEqual(whole.norms);
    expect(distance(cut.sum, whole.sum)).toBeLessThan(2 ** -45 * norm(whole.sum));
  }
});

test('no clipped update exceeds the clip norm, in any form', async () => {
  const task = randomTask(spec, recordCounts.slice(0, 12), { epochs: 2, l2: 0.02 }, { clipNorm: 1e-3 });
  const forms = [() => true, () => false];
  for (const chooseForm of forms) {
    const trainer = denseTrainer(spec, { chooseForm });
    for (const user of task.users) {
      const { sum } = await trainer.clippedSum({ ...task, users: Int32Array.of(user) });
      expect(norm(sum)).toBeLessThanOrEqual(1e-3);
      if (user !== 7) expect(norm(sum)).toBeGreaterThan(0.99999e-3);
    }
  }
});

test('terms that cancel do not lift an update above the clip norm', async () => {
  const linear = ModelSpec.parse({ inputShape: [40], output: { type: 'sigmoid' } });
  const task = randomTask(linear, [2], { epochs: 1, learningRate: 1e6 }, { clipNorm: 1 });
  const features = task.shard.features.slice();
  features.copyWithin(40, 0, 40);
  features[40]! += 2 ** -12;
  // The same record under both labels at logit zero: all but the last bits of two huge terms cancel.
  const twins = { ...task.shard, features, labels: Int32Array.of(0, 1) };
  const parameters = new Float32Array(41);
  for (const chooseForm of [() => true, () => false]) {
    const trainer = denseTrainer(linear, { chooseForm });
    const { sum } = await trainer.clippedSum({ ...task, parameters, shard: twins });
    expect(norm(sum)).toBeLessThanOrEqual(1);
  }
});

/** The sum of a task's users is the same with one more user, who counts as zero. */
async function expectCountedAsZero(
  model: ModelSpec,
  plan: Parameters<typeof randomTask>[2],
  records: number,
): Promise<void> {
  const task = randomTask(model, [1, 1, 1, records], plan, { clipNorm: 0.5 });
  const others = { ...task, users: Int32Array.of(0, 1, 2) };
  const trainer = denseTrainer(model, { chooseForm: () => true });
  const before = await trainer.clippedSum(others);
  const after = await trainer.clippedSum(task);
  expect([before.nonFinite, after.nonFinite]).toEqual([0, 1]);
  expect(norm(before.sum)).toBeGreaterThan(0.1);
  expect(distance(after.sum, before.sum)).toBe(0);
}

test('decay that overflows after more steps than others take spoils no sum', async () => {
  const linear = ModelSpec.parse({ inputShape: [40], output: { type: 'sigmoid' } });
  await expectCountedAsZero(linear, { epochs: 40, batchSize: 1, learningRate: 1, l2: 2.5 }, 50);
});

test('a user whose records do not fit into memory spoils no sum', async () => {
  const wide = ModelSpec.parse({
    inputShape: [2],
    layers: [{ type: 'dense', units: 400_000, activation: 'relu' }],
    output: { type: 'sigmoid' },
  });
  await expectCountedAsZero(wide, { epochs: 1, learningRate: 0.1, maxRecordsPerUser: 5000 }, 3000);
});
