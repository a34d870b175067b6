import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { loadBackend } from '../../../shared/model/backend.ts';
import { denseTrainer } from '../../../shared/model/dense-trainer.ts';
import { generalTrainer } from '../../../shared/model/general-trainer.ts';
import type { LocalPlan, LocalTask, LocalTrainer } from '../../../shared/model/local-trainer.ts';
import type { ModelSpec } from '../../../shared/model/spec.ts';
import { anyDenseSpec, defences, denseSpecs, distance, norm, ragged, randomTask } from './samples.ts';

/** Every provider against the naive loop of tfjs on its cpu backend. */
let backend: Awaited<ReturnType<typeof loadBackend>>;
let providers: readonly ((spec: ModelSpec) => Promise<LocalTrainer>)[];
beforeAll(async () => {
  backend = await loadBackend('cpu');
  const wasm = await loadBackend('wasm');
  providers = [
    (spec) => Promise.resolve(denseTrainer(spec)),
    (spec) => generalTrainer({ spec, backend: wasm }),
  ];
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
  const bounded = { ...task, clipNorm: 0.37 };
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

async function expectAllAgree(
  spec: ModelSpec,
  plan: Partial<LocalPlan>,
  rounds: readonly number[],
): Promise<void> {
  const want = await generalTrainer({ spec, backend });
  for (const provider of providers) {
    const got = await provider(spec);
    for (const round of rounds) {
      await expectAgreement(randomTask(spec, ragged, plan, { round }), got, want);
    }
  }
}

describe.each(denseSpecs)('%s', (_, spec) => {
  test.each(defences)('%s: providers agree with the naive loop', async (_name, defence) => {
    await expectAllAgree(spec, { defence, epochs: 2 }, [0, 1]);
  });

  test('shuffled steps and L2: providers agree with the naive loop', async () => {
    await expectAllAgree(spec, { batchSize: 2, l2: 0.03, maxRecordsPerUser: 5 }, [0]);
  });
});

test('any dense stack: providers agree with the naive loop', async () => {
  const plan = fc.record({
    epochs: fc.integer({ min: 1, max: 3 }),
    batchSize: fc.constantFrom('all' as const, 1, 2, 3),
    learningRate: fc.double({ min: 0.01, max: 0.5, noNaN: true }),
    l2: fc.constantFrom(0, 0.1),
  });
  const property = fc.asyncProperty(anyDenseSpec, plan, (spec, chosen) => expectAllAgree(spec, chosen, [0]));
  await fc.assert(property, { numRuns: 12, seed: 1 });
});
