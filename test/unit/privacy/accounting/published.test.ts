import { describe, expect, test } from 'vitest';
import type { Accountant } from '../../../../shared/privacy/accounting/accountant.ts';
import { accountants, pldBounds } from '../../../../shared/privacy/accounting/accountants.ts';
import { noiseMultiplierFor } from '../../../../shared/privacy/accounting/calibrate.ts';
import { type LedgerEntry, withNoiseTimes } from '../../../../shared/privacy/accounting/event.ts';
import { Delta, Epsilon, SamplingRate } from '../../../../shared/units.ts';
import { gaussian, sampled } from './events.ts';

/** Figures that others printed. Where one has few digits, its last may be rounded. */
const relative = (value: number, expected: number): number => Math.abs(value / expected - 1);
const cost = (by: Accountant, entries: readonly LedgerEntry[], delta: number): number =>
  by.epsilon(entries, Delta.parse(delta));
const times = (count: number, z: number, q: number): readonly LedgerEntry[] => [
  { event: sampled(z, q), count },
];

describe('analytic Gaussian (Balle and Wang 2018)', () => {
  // z, then epsilon at 1e-5, 1e-6, 1e-8.
  test.each([
    [0.5, 9.997256, 10.997151, 12.749246],
    [1, 4.377178, 4.886554, 5.776098],
    [1.5, 2.753381, 3.09764, 3.697198],
    [2, 1.993091, 2.254085, 2.707606],
    [4, 0.926342, 1.060702, 1.29268],
    [8, 0.434416, 0.503856, 0.622817],
  ])('epsilon of one release, z = %d', (z, ...exact) => {
    for (const [index, value] of exact.entries())
      for (const by of [accountants.gaussian, accountants.pld, accountants['pld-lower']])
        expect(
          relative(cost(by, [{ event: gaussian(z), count: 1 }], [1e-5, 1e-6, 1e-8][index]!), value),
        ).toBeLessThan(1.2e-6);
  });

  test.each([
    [0.1, 30.749566, 36.30469],
    [10, 0.499889, 0.541087],
  ])('noise for epsilon %d, at 1e-5 and 1e-6', (epsilon, ...least) => {
    for (const [index, z] of least.entries()) {
      const delta = Delta.parse([1e-5, 1e-6][index]!);
      const target = {
        epsilon: Epsilon.parse(epsilon),
        delta,
        rounds: 1,
        samplingRate: SamplingRate.parse(1),
      };
      const entries = (noise: number): readonly LedgerEntry[] => [{ event: gaussian(noise), count: 1 }];
      expect(relative(accountants.gaussian.epsilon(entries(z), delta), epsilon)).toBeLessThan(2e-6);
      expect(relative(noiseMultiplierFor(target, accountants.gaussian), z)).toBeLessThan(2e-4);
    }
  });

  test.each([
    [1, 0.92634],
    [2, 1.99309],
    [4, 4.37718],
    [8, 9.99726],
  ])('a user with %d times the influence, z = 4, at 1e-5: epsilon %d', (influence, value) => {
    const entries = [{ event: withNoiseTimes(gaussian(4), 1 / influence), count: 1 }];
    expect(relative(cost(accountants.gaussian, entries, 1e-5), value)).toBeLessThan(6e-6);
  });
});

describe('privacy loss distributions, at 1e-5', () => {
  // Poisson, add or remove one; then without amplification: T q times everybody, and T times.
  test.each([
    [1, 0.01, 1000, 1.828, 17.86, 633.9],
    [2, 0.01, 1000, 0.622, 7.51, 191.5],
    [1, 0.1, 100, 7.047, 17.86, 91.8],
  ])(
    'z = %d, q = %d, %d rounds: %d by coins, %d and %d without',
    (...[z, q, rounds, coins, sometimes, always]) => {
      const { lower, upper } = pldBounds(times(rounds, z, q), Delta.parse(1e-5));
      expect(lower).toBeLessThanOrEqual(coins * 1.001);
      expect(upper).toBeGreaterThanOrEqual(coins * 0.998);
      expect(upper).toBeLessThanOrEqual(coins * 1.003);
      expect(relative(cost(accountants.pld, times(rounds * q, z, 1), 1e-5), sometimes)).toBeLessThan(1e-3);
      expect(relative(cost(accountants.pld, times(rounds, z, 1), 1e-5), always)).toBeLessThan(1e-3);
    },
  );

  test('the MNIST example of TensorFlow Privacy: 3.0084 basic, 2.5967 improved, 2.3818', () => {
    const entries = times(14063, 1.1, 256 / 60000);
    expect(cost(accountants['rdp-basic'], entries, 1e-5)).toBeCloseTo(3.0084, 4);
    expect(cost(accountants.rdp, entries, 1e-5)).toBeCloseTo(2.5967, 4);
    expect(relative(cost(accountants.pld, entries, 1e-5), 2.3818)).toBeLessThan(2e-3);
  });

  test('McMahan et al. 2018: 3.899, below the 4.634 that they printed (whole orders, basic conversion)', () => {
    const entries = times(5000, 1, 5000 / 763430);
    expect(relative(cost(accountants.pld, entries, 1e-9), 3.899)).toBeLessThan(2e-3);
    expect(cost(accountants['rdp-basic'], entries, 1e-9)).toBeLessThanOrEqual(4.634);
  });
});
