import fc from 'fast-check';
import { expect, test } from 'vitest';
import { LocalPlan } from '../../../shared/model/local-trainer.ts';
import { forEachStep } from '../../../shared/model/steps.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';

function stepsOf(numRecords: number, epochs: number, batchSize: number | 'all', seed = 7) {
  const plan = LocalPlan.parse({ epochs, batchSize, learningRate: 0.1 });
  const steps: { epoch: number; rows: number[] | 'all' }[] = [];
  forEachStep({ numRecords, plan, rng: () => seededRng(Seed.parse(seed)) }, (epoch, rows) => {
    steps.push({ epoch, rows: rows === 'all' ? rows : [...rows] });
  });
  return steps;
}

test('every epoch visits every record once, in steps of the batch size', () => {
  const size = fc.integer({ min: 1, max: 12 });
  const property = fc.property(
    fc.integer({ min: 2, max: 40 }),
    size,
    size,
    (numRecords, epochs, batchSize) => {
      fc.pre(batchSize < numRecords);
      const steps = stepsOf(numRecords, epochs, batchSize);
      for (let epoch = 0; epoch < epochs; epoch++) {
        const batches = steps.filter((step) => step.epoch === epoch).map((step) => step.rows);
        expect(batches.slice(0, -1).every((rows) => rows.length === batchSize)).toBe(true);
        const rows = batches.flatMap((batch) => (batch === 'all' ? [] : batch));
        expect(rows.toSorted((a, b) => a - b)).toEqual([...Array(numRecords).keys()]);
      }
    },
  );
  fc.assert(property);
});

test('epochs are shuffled afresh and repeat for a seed', () => {
  const steps = stepsOf(30, 2, 29);
  expect(steps[0]).not.toEqual({ ...steps[2], epoch: 0 });
  expect(stepsOf(30, 2, 29)).toEqual(steps);
  expect(stepsOf(30, 2, 29, 8)).not.toEqual(steps);
});

test('records that fit into one step are taken in order; no records make no step', () => {
  const whole = [
    { epoch: 0, rows: 'all' },
    { epoch: 1, rows: 'all' },
  ];
  expect(stepsOf(3, 2, 'all')).toEqual(whole);
  expect(stepsOf(3, 2, 3)).toEqual(whole);
  expect(stepsOf(0, 2, 3)).toEqual([]);
});
