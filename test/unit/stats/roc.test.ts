import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { auc, type Roc, rocCurve, thinned } from '../../../shared/stats/roc.ts';

/** Few distinct values, so that ties are everywhere; both infinities included. */
const tied = fc.array(fc.constantFrom(-Infinity, -3, -1, 0, 1, 2, 5, Infinity), {
  minLength: 1,
  maxLength: 30,
});
const spread = fc.array(fc.double({ noNaN: true }), { minLength: 1, maxLength: 30 });
const sample = fc.oneof(tied, spread).map((values) => Float64Array.from(values));

function pairwiseAuc(members: Float64Array, nonMembers: Float64Array): number {
  let wins = 0;
  for (const m of members) for (const n of nonMembers) wins += m > n ? 1 : m === n ? 0.5 : 0;
  return wins / (members.length * nonMembers.length);
}

describe('auc', () => {
  test('is the share of pairs that the member wins, ties one half', () => {
    fc.assert(
      fc.property(sample, sample, (members, nonMembers) => {
        expect(auc(members, nonMembers)).toBeCloseTo(pairwiseAuc(members, nonMembers), 12);
      }),
    );
  });

  test('does not change under an increasing transformation of the scores', () => {
    const small = fc.array(fc.integer({ min: -50, max: 50 }), { minLength: 1, maxLength: 30 });
    fc.assert(
      fc.property(small, small, (members, nonMembers) => {
        const moved = (values: number[]): Float64Array =>
          Float64Array.from(values, (x) => x ** 3 + 2 * x - 7);
        expect(auc(moved(members), moved(nonMembers))).toBe(
          auc(Float64Array.from(members), Float64Array.from(nonMembers)),
        );
      }),
    );
  });

  test('is mirrored when the roles are swapped', () => {
    fc.assert(
      fc.property(sample, sample, (members, nonMembers) => {
        expect(auc(members, nonMembers) + auc(nonMembers, members)).toBeCloseTo(1, 12);
      }),
    );
  });

  test('one of each', () => {
    expect(auc(Float64Array.of(2), Float64Array.of(1))).toBe(1);
    expect(auc(Float64Array.of(1), Float64Array.of(2))).toBe(0);
    expect(auc(Float64Array.of(1), Float64Array.of(1))).toBe(0.5);
  });

  test('refuses empty samples and scores that are not numbers', () => {
    const one = Float64Array.of(1);
    expect(() => auc(new Float64Array(0), one)).toThrow(expect.objectContaining({ code: 'DATA_EMPTY' }));
    expect(() => auc(one, new Float64Array(0))).toThrow(expect.objectContaining({ code: 'DATA_EMPTY' }));
    expect(() => auc(Float64Array.of(1, Number.NaN), one)).toThrow(
      expect.objectContaining({ code: 'NON_FINITE' }),
    );
    expect(() => auc(one, Float64Array.of(Number.NaN, 1))).toThrow(
      expect.objectContaining({ code: 'NON_FINITE' }),
    );
  });
});

function ratesOf(roc: Roc): { fpr: number[]; tpr: number[] } {
  return {
    fpr: Array.from(roc.falsePositives, (count) => count / roc.numNonMembers),
    tpr: Array.from(roc.truePositives, (count) => count / roc.numMembers),
  };
}

describe('rocCurve', () => {
  // scikit-learn manual: roc_auc_score and roc_curve of labels [0, 0, 1, 1], scores [0.1, 0.4, 0.35, 0.8]
  test('gives the example of the scikit-learn manual', () => {
    const [members, nonMembers] = [Float64Array.of(0.35, 0.8), Float64Array.of(0.1, 0.4)];
    const { fpr, tpr } = ratesOf(rocCurve(members, nonMembers));
    expect(fpr).toEqual([0, 0, 0.5, 0.5, 1]);
    expect(tpr).toEqual([0, 0.5, 0.5, 1, 1]);
    expect(auc(members, nonMembers)).toBe(0.75);
  });

  test('has a point for every distinct score, counting everybody at or above it', () => {
    fc.assert(
      fc.property(sample, sample, (members, nonMembers) => {
        const thresholds = [...new Set([...members, ...nonMembers])].sort((a, b) => (a < b ? 1 : -1));
        const count = (scores: Float64Array): number[] => [
          0,
          ...thresholds.map((t) => scores.filter((s) => s >= t).length),
        ];
        const roc = rocCurve(members, nonMembers);
        expect([...roc.truePositives]).toEqual(count(members));
        expect([...roc.falsePositives]).toEqual(count(nonMembers));
        const { fpr, tpr } = ratesOf(roc);
        expect([fpr.at(-1), tpr.at(-1)]).toEqual([1, 1]);
      }),
    );
  });

  test('encloses the AUC', () => {
    fc.assert(
      fc.property(sample, sample, (members, nonMembers) => {
        const { fpr, tpr } = ratesOf(rocCurve(members, nonMembers));
        const area = fpr.reduce(
          (sum, x, i) => (i === 0 ? 0 : sum + ((x - fpr[i - 1]!) * (tpr[i]! + tpr[i - 1]!)) / 2),
          0,
        );
        expect(area).toBeCloseTo(auc(members, nonMembers), 12);
      }),
    );
  });
});

describe('thinned', () => {
  const members = Float64Array.from({ length: 5000 }, (_, i) => Math.sin(i) + 0.3);
  const nonMembers = Float64Array.from({ length: 5000 }, (_, i) => Math.sin(i * 1.7));
  const roc = rocCurve(members, nonMembers);

  test('keeps points of the curve in order, both ends and the best point without false positives', () => {
    const points = thinned(roc, 60);
    const rates = ratesOf(roc);
    const all = new Set(rates.fpr.map((fpr, i) => `${fpr} ${rates.tpr[i]!}`));
    expect(points.every(([fpr, tpr]) => all.has(`${fpr} ${tpr}`))).toBe(true);
    expect(points[0]).toEqual([0, 0]);
    expect(points[1]).toEqual([0, Math.max(...rates.tpr.filter((_, i) => rates.fpr[i] === 0))]);
    expect(points.at(-1)).toEqual([1, 1]);
    expect(points).toEqual([...points].sort((a, b) => a[0] - b[0] || a[1] - b[1]));
    expect(points.length).toBeLessThanOrEqual(63);
  });

  test('keeps as many points in each decade of false positive rates', () => {
    const points = thinned(roc, 60);
    const within = (low: number, high: number): number =>
      points.filter(([fpr]) => fpr > low && fpr <= high).length;
    expect(within(1e-3, 1e-2)).toBeGreaterThan(10);
    expect(within(1e-2, 1e-1)).toBeGreaterThan(13);
    expect(within(1e-1, 1)).toBeGreaterThan(13);
  });

  test('keeps everything of a tiny curve', () => {
    expect(thinned(rocCurve(Float64Array.of(2), Float64Array.of(1)), 60)).toEqual([
      [0, 0],
      [0, 1],
      [1, 1],
    ]);
  });
});
