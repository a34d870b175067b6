import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { moments, seedsRows } from '../../../scenarios/report/seeds.ts';
import { aManifest, someReports } from '../../support/a-report.ts';

const finite = fc.double({ min: -1e3, max: 1e3, noNaN: true });

describe('mean and standard deviation over seeds', () => {
  // numpy: np.mean / np.std(ddof=1) of these values
  test.each([
    [[2, 4, 4, 4, 5, 5, 7, 9], 5, 2.138089935299395],
    [[0.671, 0.666, 0.672], 0.6696666666666667, 0.0032145502536643214],
  ])('of %j', (values, mean, standardDeviation) => {
    const found = moments(values);
    expect(found.mean).toBeCloseTo(mean, 12);
    expect(found.standardDeviation).toBeCloseTo(standardDeviation, 12);
  });

  test('nothing has neither, one value has no spread, infinity has no spread', () => {
    expect(moments([])).toEqual({ mean: null, standardDeviation: null });
    expect(moments([0.3])).toEqual({ mean: 0.3, standardDeviation: null });
    expect(moments([1, Infinity])).toEqual({ mean: Infinity, standardDeviation: null });
  });

  test('shift and stretch as they must', () => {
    fc.assert(
      fc.property(
        fc.array(finite, { minLength: 2, maxLength: 20 }),
        finite,
        finite,
        (values, shift, stretch) => {
          const before = moments(values);
          const after = moments(values.map((value) => shift + stretch * value));
          expect(after.mean).toBeCloseTo(shift + stretch * before.mean!, 4);
          expect(after.standardDeviation).toBeCloseTo(Math.abs(stretch) * before.standardDeviation!, 4);
        },
      ),
    );
  });
});

describe('the rows over seeds', () => {
  const runs = [1, 2, 3].map((seed) => ({
    seed,
    manifest: aManifest(seed),
    reports: someReports({ seed, rounds: 5 }),
  }));
  const row = (rows: ReturnType<typeof seedsRows>, name: string) =>
    rows.find(({ figure }) => figure === name)!;

  test('take the last round of each run', () => {
    const auc = row(seedsRows(runs), 'test AUC');
    expect(auc.values).toEqual(runs.map(({ reports }) => reports.at(-1)!.utility.value));
  });

  test('stand beside what was published, once', () => {
    const rows = seedsRows(runs);
    expect(row(rows, 'test AUC').published.map(({ value }) => value)).toEqual([0.672]);
    expect(row(rows, 'user-MIA AUC').published.map(({ value }) => value)).toEqual([0.61]);
    expect(row(rows, 'test loss').published).toEqual([]);
  });

  test('leave out runs without a round and figures that do not exist', () => {
    const unfinished = { seed: 9, manifest: aManifest(9), reports: [] };
    expect(row(seedsRows([...runs, unfinished]), 'test AUC').values).toHaveLength(3);
    expect(row(seedsRows([unfinished]), 'test AUC')).toMatchObject({ mean: null, meanText: 'n/a' });
  });

  test('one seed without a promise leaves none on average', () => {
    const [first, ...others] = runs;
    const last = first!.reports.at(-1)!;
    const broken = { ...last, epsilon: { ...last.epsilon, coordinator: 'infinite' as const } };
    const rows = seedsRows([{ ...first!, reports: [broken] }, ...others]);
    expect(row(rows, 'epsilon, coordinator')).toMatchObject({
      meanText: 'inf',
      standardDeviationText: 'n/a',
    });
  });
});
