import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LedgerEntry } from '../../../../shared/privacy/accounting/event.ts';
import { rdpDelta, rdpEpsilon } from '../../../../shared/privacy/accounting/rdp-accountant.ts';
import { Delta, Epsilon } from '../../../../shared/units.ts';
import { gaussian, ledgers, nonPrivate, sampled } from './events.ts';

const delta = (value: number): Delta => Delta.parse(value);
const times = (count: number, event: LedgerEntry['event']): readonly LedgerEntry[] => [{ event, count }];
const relative = (value: number, expected: number): number => Math.abs(value / expected - 1);
const deltas = fc.double({ min: 1e-12, max: 0.5, noNaN: true }).map(delta);

const [header = [], ...rows] = readFileSync(
  new URL('../../../vectors/accountant-extended.csv', import.meta.url),
  'utf8',
)
  .trim()
  .split('\n')
  .map((line) => line.split(','));
const grid = rows.map((row) => {
  const cell = (name: string): number => Number(row[header.indexOf(name)] ?? NaN);
  return {
    entries: times(cell('steps'), sampled(cell('sigma'), cell('q'))),
    delta: delta(cell('delta')),
    name: row.slice(0, 4).join(' '),
    ...{
      exact: cell('eps_rdp_exact'),
      looser: cell('eps_rdp'),
      pld: cell('eps_pld'),
      prvLower: cell('prv_lower'),
    },
    analytic: cell('q') === 1 ? cell('eps_analytic_gaussian_if_q1') : 0,
  };
});

describe('rdpEpsilon against other accountants', () => {
  test('280 settings: equal to the exact Renyi value, within the looser one, never below tighter accountants', () => {
    expect(grid).toHaveLength(280);
    for (const row of grid) {
      const epsilon = rdpEpsilon(row.entries, row.delta);
      expect(relative(epsilon, row.exact), row.name).toBeLessThan(1e-6);
      expect(epsilon, row.name).toBeLessThanOrEqual(row.looser * (1 + 1e-6));
      for (const tighter of [row.pld, row.prvLower, row.analytic])
        if (Number.isFinite(tighter)) expect(epsilon, row.name).toBeGreaterThan(tighter);
    }
  });

  test('McMahan et al. 2018: 4.6338 with whole orders and the basic conversion, 4.183 improved', () => {
    const entries = times(5000, sampled(1, 5000 / 763430));
    const wholeOrders = Array.from({ length: 63 }, (_, index) => index + 2);
    expect(rdpEpsilon(entries, delta(1e-9), 'basic', wholeOrders)).toBeCloseTo(4.6338, 4);
    expect(rdpEpsilon(entries, delta(1e-9))).toBeCloseTo(4.183, 3);
  });

  // z, then the exact epsilon of Balle and Wang 2018 at 1e-5, 1e-6, 1e-8.
  test.each([
    [0.5, 9.997256, 10.997151, 12.749246],
    [1, 4.377178, 4.886554, 5.776098],
    [1.5, 2.753381, 3.09764, 3.697198],
    [2, 1.993091, 2.254085, 2.707606],
    [4, 0.926342, 1.060702, 1.29268],
    [8, 0.434416, 0.503856, 0.622817],
  ])('one Gaussian release, z = %d: above the analytic value, by less than 12 %', (z, ...exact) => {
    for (const [index, value] of exact.entries()) {
      const epsilon = rdpEpsilon(times(1, gaussian(z)), delta([1e-5, 1e-6, 1e-8][index]!));
      expect(epsilon).toBeGreaterThan(value);
      expect(epsilon).toBeLessThan(1.12 * value);
    }
  });

  test('rounds that release plain noise compose like one with z / sqrt(rounds)', () => {
    const together = rdpEpsilon(times(9, gaussian(3)), delta(1e-6));
    expect(together).toBeCloseTo(rdpEpsilon(times(1, gaussian(1)), delta(1e-6)), 10);
  });
});

describe('laws of rdpEpsilon', () => {
  test('the basic conversion is never below the improved one', () => {
    fc.assert(
      fc.property(ledgers, deltas, (entries, d) => {
        expect(rdpEpsilon(entries, d, 'basic')).toBeGreaterThanOrEqual(rdpEpsilon(entries, d));
      }),
      { numRuns: 30 },
    );
  });

  test('so much noise that even the total variation distance is below delta costs 0', () => {
    expect(rdpEpsilon(times(1, gaussian(1e9)), delta(1e-6))).toBe(0);
  });
});

describe('rdpDelta', () => {
  test('at the epsilon reported for delta it is at most delta, and reporting a smaller one would not do', () => {
    fc.assert(
      fc.property(ledgers, fc.double({ min: 1e-10, max: 0.1, noNaN: true }), (entries, d) => {
        const epsilon = rdpEpsilon(entries, delta(d));
        expect(rdpDelta(entries, epsilon)).toBeLessThanOrEqual(d * (1 + 1e-6));
        if (epsilon > 0.01) expect(rdpDelta(entries, Epsilon.parse(epsilon * 0.99))).toBeGreaterThan(d);
      }),
      { numRuns: 30 },
    );
  });

  test('is never below the exact delta of a Gaussian release', () => {
    expect(rdpDelta(times(1, gaussian(1)), Epsilon.parse(4.377178))).toBeGreaterThan(1e-5);
    expect(rdpDelta(times(1, gaussian(2)), Epsilon.parse(1.993091))).toBeGreaterThan(1e-5);
  });

  test('is in [0, 1], and does not rise with epsilon', () => {
    const epsilons = fc.double({ min: 0, max: 50, noNaN: true });
    fc.assert(
      fc.property(ledgers, epsilons, epsilons, (entries, a, b) => {
        const [small, large] = [Math.min(a, b), Math.max(a, b)].map((value) =>
          rdpDelta(entries, Epsilon.parse(value)),
        );
        expect(large).toBeGreaterThanOrEqual(0);
        expect(small).toBeLessThanOrEqual(1);
        expect(large!).toBeLessThanOrEqual(small!);
      }),
      { numRuns: 30 },
    );
  });

  test('nothing released: 0. Without noise: 1. Infinite epsilon: 0, unless it is spent', () => {
    expect(rdpDelta([], Epsilon.parse(0))).toBe(0);
    expect(rdpDelta(times(1, nonPrivate), Epsilon.parse(3))).toBe(1);
    expect(rdpDelta(times(1, gaussian(1)), Epsilon.parse(Infinity))).toBe(0);
    expect(rdpDelta(times(1, nonPrivate), Epsilon.parse(Infinity))).toBe(1);
  });
});
