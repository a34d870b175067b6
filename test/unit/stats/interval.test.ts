import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { aucInterval, clopperPearson, delong, tprAtFpr } from '../../../shared/stats/interval.ts';
import { normalQuantile, regularisedBeta } from '../../../shared/stats/special.ts';

const repeated = (values: readonly number[], counts: readonly number[]): Float64Array =>
  Float64Array.from(counts.flatMap((count, i) => Array.from({ length: count }, () => values[i]!)));

/** Hanley and McNeil (1982), Table 2: ratings 1..5 of 51 abnormal and 58 normal scans. */
const abnormal = repeated([1, 2, 3, 4, 5], [3, 2, 2, 11, 33]);
const normal = repeated([1, 2, 3, 4, 5], [33, 6, 6, 11, 2]);

const sample = fc
  .array(fc.integer({ min: -8, max: 8 }), { minLength: 1, maxLength: 30 })
  .map((values) => Float64Array.from(values));

describe('clopperPearson', () => {
  // scipy 1.17: beta.ppf(.025, k, n - k + 1), beta.ppf(.975, k + 1, n - k)
  test.each([
    [0, 1000, 0, 0.003682083896865671],
    [5, 1000, 0.00162541951756276, 0.011629470559812147],
    [250, 500, 0.4552855693242276, 0.5447144306757724],
    [10, 10, 0.6915028921812392, 1],
    [3, 7, 0.09898827844250786, 0.8159484323599169],
  ])('%d of %d', (successes, trials, low, high) => {
    const interval = clopperPearson(successes, trials);
    expect(interval.low).toBeCloseTo(low, 12);
    expect(interval.high).toBeCloseTo(high, 12);
  });

  test('covers every proportion with at least its level', () => {
    const levels = fc.constantFrom(0.8, 0.95, 0.99);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.double({ min: 0.001, max: 0.999, noNaN: true }),
        levels,
        (n, p, level) => {
          let covered = 0;
          for (let k = 0; k <= n; k++) {
            const { low, high } = clopperPearson(k, n, level);
            const atLeast = (j: number): number =>
              j <= 0 ? 1 : j > n ? 0 : regularisedBeta(p, j, n - j + 1);
            if (low <= p && p <= high) covered += atLeast(k) - atLeast(k + 1);
          }
          expect(covered).toBeGreaterThanOrEqual(level - 1e-12);
        },
      ),
    );
  });

  test('knows nothing without trials, and mirrors', () => {
    expect(clopperPearson(0, 0)).toEqual({ low: 0, high: 1 });
    const { low, high } = clopperPearson(3, 17, 0.9);
    expect(clopperPearson(14, 17, 0.9).low).toBeCloseTo(1 - high, 12);
    expect(clopperPearson(14, 17, 0.9).high).toBeCloseTo(1 - low, 12);
  });
});

describe('delong', () => {
  test('gives the published figures of the Hanley-McNeil scans', () => {
    // Stata manual, roctab: ROC area 0.8932, Std. err. 0.0307, 95 % interval 0.83295 to 0.95339
    const { auc, standardError } = delong(abnormal, normal);
    const reach = normalQuantile(0.975) * standardError;
    expect(auc.toFixed(4)).toBe('0.8932');
    expect(standardError.toFixed(4)).toBe('0.0307');
    expect([(auc - reach).toFixed(5), (auc + reach).toFixed(5)]).toEqual(['0.83295', '0.95339']);
  });

  test('is the definition from all pairs, ties included', () => {
    fc.assert(
      fc.property(sample, sample, (members, nonMembers) => {
        fc.pre(members.length > 1 && nonMembers.length > 1);
        const win = (m: number, n: number): number => (m > n ? 1 : m === n ? 0.5 : 0);
        const ofMembers = Array.from(members, (m) => mean(Array.from(nonMembers, (n) => win(m, n))));
        const ofNonMembers = Array.from(nonMembers, (n) => mean(Array.from(members, (m) => win(m, n))));
        const expected = Math.sqrt(
          spread(ofMembers) / members.length + spread(ofNonMembers) / nonMembers.length,
        );
        expect(delong(members, nonMembers).standardError).toBeCloseTo(expected, 12);
      }),
    );
  });
});

describe('aucInterval', () => {
  // numpy: logit transform of the DeLong interval above
  test('is DeLong on the logit', () => {
    const { auc, low, high } = aucInterval(abnormal, normal);
    expect(auc).toBeCloseTo(0.8931710615280595, 12);
    expect(low).toBeCloseTo(0.8164434579114811, 10);
    expect(high).toBeCloseTo(0.9401761946121983, 10);
  });

  test('contains the AUC, stays in [0, 1], has a width, and mirrors', () => {
    fc.assert(
      fc.property(sample, sample, fc.constantFrom(0.8, 0.95, 0.999), (members, nonMembers, level) => {
        const { auc, low, high } = aucInterval(members, nonMembers, level);
        const mirrored = aucInterval(nonMembers, members, level);
        expect(low).toBeGreaterThanOrEqual(0);
        expect(low).toBeLessThanOrEqual(auc);
        expect(high).toBeGreaterThanOrEqual(auc);
        expect(high).toBeLessThanOrEqual(1);
        expect(high - low).toBeGreaterThan(0);
        expect(mirrored.low).toBeCloseTo(1 - high, 10);
        expect(mirrored.high).toBeCloseTo(1 - low, 10);
      }),
    );
  });

  test('widens with the level', () => {
    const width = (level: number): number => {
      const { low, high } = aucInterval(abnormal, normal, level);
      return high - low;
    };
    expect(width(0.999)).toBeGreaterThan(width(0.95));
    expect(width(0.95)).toBeGreaterThan(width(0.5));
  });

  test('is exact at the edges: perfect separation, all ties, one user', () => {
    const ascending = (n: number, from: number): Float64Array =>
      Float64Array.from({ length: n }, (_, i) => from + i);
    const perfect = aucInterval(ascending(40, 100), ascending(50, 0));
    expect(perfect).toEqual({ auc: 1, ...clopperPearson(40, 40) });
    expect(aucInterval(ascending(50, 0), ascending(40, 100))).toEqual({ auc: 0, ...clopperPearson(0, 40) });
    const ties = aucInterval(new Float64Array(40), new Float64Array(40));
    expect(ties).toEqual({ auc: 0.5, ...clopperPearson(20, 40) });
    expect(aucInterval(Float64Array.of(1), ascending(1000, 2))).toEqual({ auc: 0, ...clopperPearson(0, 1) });
  });
});

describe('tprAtFpr', () => {
  const coarse = fc
    .array(fc.integer({ min: 0, max: 12 }), { minLength: 10, maxLength: 60 })
    .map((v) => Float64Array.from(v));

  test('is the best threshold within the false positive rate', () => {
    fc.assert(
      fc.property(coarse, coarse, fc.constantFrom(0.1, 0.29, 0.5, 1), (members, nonMembers, fpr) => {
        const share = (scores: Float64Array, t: number): number =>
          scores.filter((s) => s >= t).length / scores.length;
        const allowed = Array.from({ length: 14 }, (_, t) => t).filter(
          (t) => share(nonMembers, t) <= fpr + 1e-12,
        );
        const best = Math.min(...allowed);
        const measured = tprAtFpr(members, nonMembers, fpr);
        expect(measured).toEqual({
          status: 'measured',
          fpr,
          tpr: share(members, best),
          falsePositives: nonMembers.filter((s) => s >= best).length,
          ...clopperPearson(members.filter((s) => s >= best).length, members.length),
        });
      }),
    );
  });

  test('is not testable with fewer than 1 / fpr non-members', () => {
    const members = Float64Array.from({ length: 5 }, () => 1);
    expect(tprAtFpr(members, new Float64Array(99), 0.01)).toEqual({
      status: 'not-testable',
      fpr: 0.01,
      nonMembersNeeded: 100,
    });
    expect(tprAtFpr(members, new Float64Array(100), 0.01)).toMatchObject({
      status: 'measured',
      tpr: 1,
      falsePositives: 0,
    });
    expect(tprAtFpr(members, new Float64Array(999), 0.001)).toMatchObject({
      status: 'not-testable',
      nonMembersNeeded: 1000,
    });
  });

  test('forgives the rounding of fpr times the number of non-members', () => {
    // 0.29 * 100 is 28.999999999999996 in float64
    const nonMembers = Float64Array.from({ length: 100 }, (_, i) => i);
    expect(tprAtFpr(Float64Array.of(71), nonMembers, 0.29)).toMatchObject({ falsePositives: 29, tpr: 1 });
  });
});

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Sample variance. */
function spread(values: readonly number[]): number {
  const center = mean(values);
  return values.reduce((sum, value) => sum + (value - center) ** 2, 0) / (values.length - 1);
}
