import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Backend, loadBackend } from '../../../shared/model/backend.ts';
import type { Defence } from '../../../shared/model/defence.ts';
import { denseTrainer } from '../../../shared/model/dense/dense-trainer.ts';
import { generalTrainer } from '../../../shared/model/general-trainer.ts';
import type { LocalPlan, LocalTask, LocalTrainer } from '../../../shared/model/local-trainer.ts';
import type { ModelSpec } from '../../../shared/model/spec.ts';
import {
  anyDenseSpec,
  defences,
  denseSpecs,
  distance,
  generalSpecs,
  norm,
  ragged,
  randomDefences,
  randomTask,
} from './samples.ts';

/** Every provider against the naive loop of tfjs on its cpu backend. */
let cpu: Backend;
let wasm: Backend;
beforeAll(async () => {
  cpu = await loadBackend('cpu');
  wasm = await loadBackend('wasm');
});

/** The rounding of float32 parameters, whose difference an update is, stays where an update is tiny. */
const rounding = 3e-7;

async function alone(trainer: LocalTrainer, task: LocalTask): Promise<Float64Array[]> {
  const sums: Float64Array[] = [];
  for (const user of task.users)
    sums.push((await trainer.clippedSum({ ...task, users: Int32Array.of(user) })).sum);
  return sums;
}

function bounded(task: LocalTask): LocalTask {
  const weights = Float64Array.from(task.shard.userIds, (_, user) => 1 / (1 + (user % 3)));
  return { ...task, clipNorm: 0.37, weights };
}

async function expectAgreement(
  task: LocalTask,
  got: readonly LocalTrainer[],
  want: LocalTrainer,
): Promise<void> {
  const float = rounding * norm(task.parameters);
  const updates = await alone(want, task);
  const expected = await want.clippedSum(bounded(task));
  for (const trainer of got) {
    for (const [user, update] of (await alone(trainer, task)).entries()) {
      const wanted = updates[user]!;
      expect(distance(update, wanted)).toBeLessThanOrEqual(1e-4 * norm(wanted) + float);
    }
    const actual = await trainer.clippedSum(bounded(task));
    expect(distance(actual.sum, expected.sum)).toBeLessThanOrEqual(1e-5 * norm(expected.sum) + float);
    expect(actual.nonFinite).toBe(0);
    for (const [index, value] of actual.norms.entries())
      expect(Math.abs(value - expected.norms[index]!)).toBeLessThanOrEqual(1e-4 * value + float);
  }
}

/** The dense provider as it comes, and with all layers in one form, as small layers would never be by cost. */
function denseTrainers(spec: ModelSpec): LocalTrainer[] {
  const forms = [() => true, () => false, (_: unknown, readsRecords: boolean) => readsRecords];
  return [denseTrainer(spec), ...forms.map((chooseForm) => denseTrainer(spec, { chooseForm }))];
}

async function expectAllAgree(spec: ModelSpec, plan: Partial<LocalPlan>, got: readonly LocalTrainer[]) {
  const want = generalTrainer({ spec, backend: cpu });
  for (const round of [0, 1]) await expectAgreement(randomTask(spec, ragged, plan, { round }), got, want);
}

describe.each(denseSpecs)('%s', (_, spec) => {
  test.each(defences)('%s: dense agrees with the naive loop', async (_name, defence) => {
    await expectAllAgree(spec, { defence, epochs: 2 }, denseTrainers(spec));
  });

  test.each(randomDefences)(
    '$type: dense draws as the naive loop does, and agrees with it',
    async (defence) => {
      for (const plan of [
        { epochs: 2 },
        { epochs: 1 },
        { epochs: 2, batchSize: 3, l2: 0.03, maxRecordsPerUser: 5 },
      ])
        await expectAllAgree(spec, { defence, ...plan }, denseTrainers(spec));
    },
  );

  test('shuffled steps and L2: dense and wasm agree with the naive loop', async () => {
    const got = [...denseTrainers(spec), generalTrainer({ spec, backend: wasm })];
    await expectAllAgree(spec, { batchSize: 2, l2: 0.03, maxRecordsPerUser: 5 }, got);
  });
});

test.each(generalSpecs)('%s: wasm agrees with the naive loop', async (_, spec) => {
  await expectAllAgree(spec, { batchSize: 3, l2: 0.03, epochs: 1 }, [
    generalTrainer({ spec, backend: wasm }),
  ]);
});

test('any dense stack: dense agrees with the naive loop', async () => {
  const plan = fc.record({
    epochs: fc.integer({ min: 1, max: 3 }),
    batchSize: fc.constantFrom('all' as const, 1, 2, 3),
    learningRate: fc.double({ min: 0.01, max: 0.5, noNaN: true }),
    l2: fc.constantFrom(0, 0.1),
    defence: fc.constantFrom<Defence>({ type: 'none' }, ...randomDefences),
  });
  const property = fc.asyncProperty(anyDenseSpec, plan, (spec, chosen) =>
    expectAllAgree(spec, chosen, denseTrainers(spec)),
  );
  await fc.assert(property, { numRuns: 24, seed: 1 });
});
