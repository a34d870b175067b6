import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { auc } from '../../../shared/stats/roc.ts';
import { benjaminiHochberg, holm, mannWhitneyPValue } from '../../../shared/stats/tests.ts';

const sampleOf = (maxLength: number): fc.Arbitrary<Float64Array> =>
  fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength }).map((v) => Float64Array.from(v));

describe('mannWhitneyPValue', () => {
  test('exact without ties', () => {
    // scipy 1.17: mannwhitneyu(a, b, alternative='greater', method='exact')
    const p = mannWhitneyPValue(
      Float64Array.of(3.1, 2.2, 5, 1.7, 4.4),
      Float64Array.of(1.1, 2, 3, 0.4, 2.9, 1.6),
    );
    expect(p).toBeCloseTo(0.04112554112554113, 14);
  });

  test('exact with ties', () => {
    // numpy: share of the 1716 choices of 6 among 13 mid-ranks with at least the observed rank sum
    const p = mannWhitneyPValue(Float64Array.of(1, 2, 2, 3, 5, 5), Float64Array.of(1, 1, 2, 2, 3, 4, 0));
    expect(p).toBeCloseTo(0.12062937062937062, 14);
  });

  test('normal law with ties', () => {
    // scipy 1.17: mannwhitneyu(x, y, alternative='greater', method='asymptotic', use_continuity=True); np.round
    const even = (x: number): number => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));
    const x = Float64Array.from({ length: 60 }, (_, i) => even(((i * 37) % 101) / 10));
    const y = Float64Array.from({ length: 60 }, (_, i) => even(((i * 53) % 97) / 10 - 0.5));
    expect(auc(x, y)).toBeCloseTo(0.5845833333333333, 14);
    expect(mannWhitneyPValue(x, y)).toBeCloseTo(0.054424106466601035, 12);
  });

  test('is the share of relabellings that separate at least as well', () => {
    fc.assert(
      fc.property(sampleOf(5), sampleOf(6), (members, nonMembers) => {
        const pooled = [...members, ...nonMembers];
        const observed = auc(members, nonMembers);
        let extreme = 0;
        let all = 0;
        for (let mask = 0; mask < 2 ** pooled.length; mask++) {
          const chosen = pooled.filter((_, i) => (mask >> i) & 1);
          if (chosen.length !== members.length) continue;
          const others = pooled.filter((_, i) => !((mask >> i) & 1));
          all++;
          if (auc(Float64Array.from(chosen), Float64Array.from(others)) >= observed - 1e-12) extreme++;
        }
        expect(mannWhitneyPValue(members, nonMembers)).toBeCloseTo(extreme / all, 12);
      }),
      { numRuns: 60 },
    );
  });

  test('the exact and the normal law meet where one hands over to the other', () => {
    const members = Float64Array.from({ length: 20 }, (_, i) => i * 1.3 + 3);
    const nonMembers = (n: number): Float64Array =>
      Float64Array.from({ length: n }, (_, i) => (i * 17) % 20.4);
    const [exact, normal] = [
      mannWhitneyPValue(members, nonMembers(20)),
      mannWhitneyPValue(members, nonMembers(21)),
    ];
    expect(Math.abs(Math.log(exact / normal))).toBeLessThan(0.5);
  });

  test('says nothing when all scores are equal, and is one-sided', () => {
    expect(mannWhitneyPValue(new Float64Array(5), new Float64Array(6))).toBe(1);
    expect(mannWhitneyPValue(new Float64Array(50), new Float64Array(60))).toBe(1);
    const low = Float64Array.from({ length: 100 }, (_, i) => i);
    const high = low.map((x) => x + 200);
    expect(mannWhitneyPValue(high, low)).toBeLessThan(1e-30);
    expect(mannWhitneyPValue(low, high)).toBeCloseTo(1, 12);
    expect(mannWhitneyPValue(Float64Array.of(2), Float64Array.of(1))).toBe(0.5);
  });
});

describe('multiple testing', () => {
  const p = Float64Array.of(0.01, 0.04, 0.03, 0.005, 0.5, 0.2, 0.04);

  test('agree with statsmodels on families of 1 to 200 p-values, ties and ends included', () => {
    const file = new URL('../../vectors/multiple-testing.json', import.meta.url);
    // Written by test/vectors/make-multiple-testing.py.
    const { families } = JSON.parse(readFileSync(file, 'utf8')) as {
      families: { pValues: number[]; holm: number[]; benjaminiHochberg: number[] }[];
    };
    expect(families.length).toBeGreaterThan(5);
    for (const family of families) {
      const raw = Float64Array.from(family.pValues);
      const gap = (ours: Float64Array, theirs: number[]): number =>
        Math.max(...theirs.map((value, index) => Math.abs(value - ours[index]!)));
      expect(gap(holm(raw), family.holm)).toBeLessThan(1e-12);
      expect(gap(benjaminiHochberg(raw), family.benjaminiHochberg)).toBeLessThan(1e-12);
    }
  });

  // statsmodels 0.14: multipletests(p, method='holm'), multipletests(p, method='fdr_bh')
  test('agrees with statsmodels', () => {
    const rounded = (values: Float64Array): number[] => Array.from(values, (x) => Number(x.toFixed(8)));
    expect(rounded(holm(p))).toEqual([0.06, 0.16, 0.15, 0.035, 0.5, 0.4, 0.16]);
    expect(rounded(benjaminiHochberg(p))).toEqual([0.035, 0.056, 0.056, 0.035, 0.5, 0.23333333, 0.056]);
  });

  test('raises p-values, keeps their order, stays below 1, and Holm is the stricter', () => {
    const pValues = fc
      .array(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 20 })
      .map((v) => Float64Array.from(v));
    fc.assert(
      fc.property(pValues, (raw) => {
        const [strict, lenient] = [holm(raw), benjaminiHochberg(raw)];
        raw.forEach((value, i) => {
          expect(lenient[i]).toBeGreaterThanOrEqual(value);
          expect(strict[i]).toBeGreaterThanOrEqual(lenient[i]! - 1e-15);
          expect(strict[i]).toBeLessThanOrEqual(1);
          raw.forEach((other, j) => {
            if (value < other) expect(strict[i]).toBeLessThanOrEqual(strict[j]!);
            if (value < other) expect(lenient[i]).toBeLessThanOrEqual(lenient[j]!);
          });
        });
        expect(Math.min(1, ...strict)).toBeCloseTo(Math.min(1, raw.length * Math.min(1, ...raw)), 12);
      }),
    );
  });

  test('one test is not adjusted, none is none', () => {
    expect([...holm(Float64Array.of(0.3))]).toEqual([0.3]);
    expect([...benjaminiHochberg(Float64Array.of(0.3))]).toEqual([0.3]);
    expect([...holm(new Float64Array(0)), ...benjaminiHochberg(new Float64Array(0))]).toEqual([]);
  });
});
