import { expect, test } from 'vitest';
import type { AuditPopulation } from '../../../coordinator/audit/population.ts';
import { utilityOf } from '../../../coordinator/audit/utility.ts';
import type { RecordSignals } from '../../../shared/model/signals.ts';

/** Users 0 and 2 are held out: records 0, 1 and 3, 4. */
const population: AuditPopulation = {
  roles: ['held-out', 'member', 'held-out', 'reference'],
  recordOffsets: Int32Array.of(0, 2, 3, 5, 6),
  labels: Int32Array.of(1, 0, 1, 1, 0, 0),
  numClasses: 2,
  subpopulations: [],
};
const signals: RecordSignals = {
  loss: Float32Array.of(0.5, 1, 100, 0.25, 0.25, 100),
  margin: Float32Array.of(0.5, 1, -50, -3, 0, 50),
  hinge: Float32Array.of(2, 1, -50, -3, 0, 50),
  entropy: new Float32Array(6),
  modifiedEntropy: new Float32Array(6),
};

test('two classes: AUC of the positive class on held-out records only', () => {
  // Positive scores 0.5, -3 for class 1; -1, 0 for class 0: 2 of 4 pairs are won.
  expect(utilityOf(population, signals)).toEqual({
    metric: 'auc',
    value: 0.5,
    accuracy: 0.5,
    loss: 0.5,
    heldOutRecords: 4,
  });
});

test('more classes: accuracy; a tie at the top is wrong', () => {
  expect(utilityOf({ ...population, numClasses: 3 }, signals)).toMatchObject({
    metric: 'accuracy',
    value: 0.5,
  });
});

test('one class among the held-out records: accuracy', () => {
  const labels = Int32Array.of(1, 1, 0, 1, 1, 0);
  expect(utilityOf({ ...population, labels }, signals)).toMatchObject({ metric: 'accuracy', value: 0.5 });
});

test('refuses a population without held-out users', () => {
  expect(() =>
    utilityOf({ ...population, roles: ['member', 'member', 'reference', 'member'] }, signals),
  ).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
});
