import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { meanDifference, meanEstimate, studentQuantile } from '../../../shared/stats/mean.ts';

// Published quantiles; with one degree of freedom it is tan(pi level / 2).
test.each([
  [0.95, 1, 12.7062047361747],
  [0.95, 2, 4.30265272974946],
  [0.95, 4, 2.77644510519779],
  [0.95, 30, 2.0422724563012378],
  [0.99, 9, 3.2498355415921267],
  [0.5, 3, 0.7648923284043528],
])("Student's t at level %d with %d degrees of freedom is %d", (level, freedom, expected) => {
  expect(studentQuantile(level, freedom)).toBeCloseTo(expected, 9);
});

test('a mean has an interval from two finite values on', () => {
  expect(meanEstimate([0.4])).toEqual({ mean: 0.4, low: null, high: null });
  expect(meanEstimate([1, Infinity])).toEqual({ mean: Infinity, low: null, high: null });
  expect(meanEstimate([2, 2, 2])).toEqual({ mean: 2, low: 2, high: 2 });
  // 1.5 +- 12.7062 * 0.5
  expect(meanEstimate([1, 2]).low).toBeCloseTo(-4.85310236808735, 9);
});

const { differences } = JSON.parse(
  readFileSync(new URL('../../vectors/reliability.json', import.meta.url), 'utf8'),
) as { differences: { ones: number[]; others: number[]; mean: number; low: number; high: number }[] };

test.each(differences)("a difference of means has Welch's interval, as scipy has it", (expected) => {
  const { ones, others } = expected;
  const found = meanDifference(ones, others);
  for (const side of ['mean', 'low', 'high'] as const) expect(found[side]).toBeCloseTo(expected[side], 9);
});

test('a difference of means has an interval from two finite values on a side on', () => {
  expect(meanDifference([3], [1, 2])).toEqual({ mean: 1.5, low: null, high: null });
  expect(meanDifference([2, 2], [1, 1])).toEqual({ mean: 1, low: 1, high: 1 });
  // All the spread on one side: its own degrees of freedom.
  const { low } = meanDifference([1, 2], [0, 0]);
  expect(low).toBeCloseTo(1.5 - 12.7062047361747 * 0.5, 9);
});
