import { type AuditPopulation, recordsOf, usersWithRole } from './population.ts';

/** Maps a record's value and class to a value that is comparable across classes. */
export type ClassCalibration = (value: number, label: number) => number;

/** Records of the reference users that a class needs before its mean and spread are used. */
const minReferenceRecords = 30;

/**
 * Standardises a signal within each class by the mean and spread over the reference users' records, shape (numRecords,):
 * one threshold on the result is one threshold for each class (Song and Mittal 2021, arXiv:2003.10595, section 4). When
 * any class that occurs has fewer than 30 such records, or no spread, there is no calibration: calibrating some of them
 * would make classes less comparable, not more.
 */
export function classCalibration(
  population: AuditPopulation,
  perRecord: Float32Array,
): ClassCalibration | undefined {
  const reference = referenceValues(population, perRecord);
  const occurring = new Set(population.labels);
  const moments = reference.map(momentsOf);
  const usable = moments.every(
    ({ count, spread }, label) => !occurring.has(label) || (count >= minReferenceRecords && spread > 0),
  );
  if (!usable) return undefined;
  return (value, label) => {
    const { mean, spread } = moments[label] ?? { mean: 0, spread: 1 };
    return (value - mean) / spread;
  };
}

function referenceValues(population: AuditPopulation, perRecord: Float32Array): number[][] {
  const byClass = Array.from({ length: population.numClasses }, (): number[] => []);
  for (const record of recordsOf(population, usersWithRole(population, 'reference')))
    byClass[population.labels[record] ?? 0]?.push(perRecord[record] ?? 0);
  return byClass;
}

function momentsOf(values: readonly number[]): { count: number; mean: number; spread: number } {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { count, mean, spread: Math.sqrt(squares / (count - 1)) };
}
