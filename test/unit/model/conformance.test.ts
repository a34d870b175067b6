import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { type Backend, loadBackend } from '../../../shared/model/backend.ts';
import { denseTrainer } from '../../../shared/model/dense-trainer.ts';
import { generalTrainer } from '../../../shared/model/general-trainer.ts';
import type { LocalPlan, LocalTask, LocalTrainer } from '../../../shared/model/local-trainer.ts';
import type { ModelSpec } from '../../../shared/model/spec.ts';
import { anyDenseSpec, defences, denseSpecs, distance, norm, ragged, randomTask } from './samples.ts';

/** Every provider against the naive loop of tfjs on its cpu backend. */
let cpu: Backend;
let wasm: Backend;
beforeAll(async () => {
  cpu = await loadBackend('cpu');
  wasm = await loadBackend('wasm');
});

/** The rounding of float32 parameters, whose difference an update is, stays where an update is tiny. */
const rounding = 3e-7;

async function expectAgreement(task: LocalTask, got: LocalTrainer, want: LocalTrainer): Promise<void> {
  for (const user of task.users) {
    const alone = { ...task, users: Int32Array.of(user) };
    const expected = (await want.clippedSum(alone)).sum;
    const actual = (await got.clippedSum(alone)).sum;
    const tolerance = 1e-4 * norm(expected) + rounding * norm(task.parameters);
    expect(distance(actual, expected)).toBeLessThanOrEqual(tolerance);
  }
  const weights = Float64Array.from(task.shard.userIds, (_, user) => 1 / (1 + (user % 3)));
  const bounded = { ...task, clipNorm: 0.37, weights };
  const expected = await want.clippedSum(bounded);
  const actual = await got.clippedSum(bounded);
  const tolerance = 1e-5 * norm(expected.sum) + rounding * norm(task.parameters);
  expect(distance(actual.sum, expected.sum)).toBeLessThanOrEqual(tolerance);
  expect(actual.nonFinite).toBe(0);
  for (const [index, value] of actual.norms.entries()) {
    expect(Math.abs(value - expected.norms[index]!)).toBeLessThanOrEqual(
      1e-4 * value + rounding * norm(task.parameters),
    );
  }
}

async function expectAllAgree(spec: ModelSpec, plan: Partial<LocalPlan>, got: readonly LocalTrainer[]) {
  const want = generalTrainer({ spec, backend: cpu });
  for (const trainer of got) {
    for (const round of [0, 1])
      await expectAgreement(randomTask(spec, ragged, plan, { round }), trainer, want);
  }
}

describe.each(denseSpecs)('%s', (_, spec) => {
  test.each(defences)('%s: dense agrees with the naive loop', async (_name, defence) => {
    await expectAllAgree(spec, { defence, epochs: 2 }, [denseTrainer(spec)]);
  });

  test('shuffled steps and L2: dense and wasm agree with the naive loop', async () => {
    const got = [denseTrainer(spec), generalTrainer({ spec, backend: wasm })];
    await expectAllAgree(spec, { batchSize: 2, l2: 0.03, maxRecordsPerUser: 5 }, got);
  });
});

test('any dense stack: dense agrees with the naive loop', async () => {
  const plan = fc.record({
    epochs: fc.integer({ min: 1, max: 3 }),
    batchSize: fc.constantFrom('all' as const, 1, 2, 3),
    learningRate: fc.double({ min: 0.01, max: 0.5, noNaN: true }),
    l2: fc.constantFrom(0, 0.1),
  });
  const property = fc.asyncProperty(anyDenseSpec, plan, (spec, chosen) =>
    expectAllAgree(spec, chosen, [denseTrainer(spec)]),
  );
  await fc.assert(property, { numRuns: 12, seed: 1 });
});
