import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z as schema } from 'zod';
import { type PrivacyProfile, privacyProfile } from '../../../../shared/privacy/accounting/accountants.ts';
import {
  bestAccuracy,
  bestAdvantage,
  bestTpr,
  bestTprOf,
} from '../../../../shared/privacy/accounting/attacker.ts';
import { normalCdf, normalQuantile } from '../../../../shared/stats/special.ts';
import { Delta, Epsilon } from '../../../../shared/units.ts';
import { commonLedgers, gaussian, nonPrivate, sampled } from './events.ts';

/** The exact profile of a Gaussian shift of mu (Dong, Roth, Su 2022, Corollary 2.13); the same in both directions. */
function gaussianProfile(mu: number): PrivacyProfile {
  return {
    delta: (epsilon) => {
      const value =
        epsilon === Infinity
          ? 0
          : normalCdf(mu / 2 - epsilon / mu) - Math.exp(epsilon) * normalCdf(-mu / 2 - epsilon / mu);
      const bounds = { lower: value, upper: value };
      return { ...bounds, removing: bounds, adding: bounds };
    },
  };
}

const gaussianTpr = (mu: number, fpr: number): number => normalCdf(normalQuantile(fpr) + mu);

/** The best test of one subsampled release compares the output with a threshold (Neyman and Pearson). */
function sampledTpr(noiseMultiplier: number, samplingRate: number, fpr: number): number {
  const threshold = -noiseMultiplier * normalQuantile(fpr);
  return (1 - samplingRate) * fpr + samplingRate * normalCdf((1 - threshold) / noiseMultiplier);
}

const fprs = fc.oneof(fc.constantFrom(0, 1e-3, 0.01, 0.5, 1), fc.double({ min: 0, max: 1, noNaN: true }));

describe('the exact profile of a Gaussian', () => {
  test.each([0.05, 0.3, 1, 2.5, 6, 12])('gives its exact trade-off curve, shift %s', (mu) => {
    for (const fpr of [1e-8, 1e-4, 1e-3, 0.01, 0.1, 0.3, 0.5, 0.9, 0.999]) {
      expect(bestTpr(gaussianProfile(mu), fpr)).toBeGreaterThanOrEqual(gaussianTpr(mu, fpr) - 1e-12);
      expect(bestTpr(gaussianProfile(mu), fpr)).toBeLessThanOrEqual(gaussianTpr(mu, fpr) + 1e-9);
    }
  });

  test('gives the total variation distance and the accuracy of the best guess', () => {
    expect(bestAdvantage(gaussianProfile(1))).toBeCloseTo(0.3829249225480262, 12);
    expect(bestAccuracy(gaussianProfile(1))).toBeCloseTo(normalCdf(0.5), 12);
  });

  test('allows nothing at FPR 0 and everything at FPR 1', () => {
    expect(bestTpr(gaussianProfile(2), 0)).toBe(0);
    expect(bestTpr(gaussianProfile(2), 1)).toBe(1);
  });
});

const { attacker } = schema
  .object({
    attacker: schema.array(
      schema.object({
        noiseMultiplier: schema.number(),
        samplingRate: schema.number(),
        rounds: schema.number(),
        advantage: schema.number(),
        tprAt1PercentFpr: schema.number(),
        tprAt01PercentFpr: schema.number(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('../../../vectors/calibration.json', import.meta.url), 'utf8')));

describe('ledgers', () => {
  test.each(attacker)('a composed run: as the profile of dp_accounting says, %j', (row) => {
    const event = sampled(row.noiseMultiplier, row.samplingRate);
    const profile = privacyProfile([{ event, count: row.rounds }]);
    expect(Math.abs(bestTpr(profile, 0.01) / row.tprAt1PercentFpr - 1)).toBeLessThan(0.01);
    expect(Math.abs(bestTpr(profile, 0.001) / row.tprAt01PercentFpr - 1)).toBeLessThan(0.01);
    expect(Math.abs(bestAdvantage(profile) / row.advantage - 1)).toBeLessThan(0.01);
  });

  test.each([
    [1, 1],
    [4, 1],
    [4, 25],
    [20, 10],
    [2, 9],
  ])(
    'Gaussian of noise multiplier %s, %s times: within one per cent above Phi(Phi^-1(FPR) + sqrt(T) / z)',
    (z, count) => {
      const profile = privacyProfile([{ event: gaussian(z), count }]);
      const mu = Math.sqrt(count) / z;
      for (const fpr of [1e-3, 0.01, 0.1, 0.5, 0.95]) {
        const tpr = bestTpr(profile, fpr);
        expect(tpr).toBeGreaterThanOrEqual(gaussianTpr(mu, fpr) * (1 - 1e-9));
        expect(tpr).toBeLessThanOrEqual(gaussianTpr(mu, fpr) * 1.01);
      }
      const advantage = 2 * normalCdf(mu / 2) - 1;
      expect(bestAdvantage(profile)).toBeGreaterThanOrEqual(advantage * (1 - 1e-9));
      expect(bestAdvantage(profile)).toBeLessThanOrEqual(advantage * 1.01 + 1e-6);
    },
  );

  test.each([
    [1, 0.01],
    [0.5, 0.1],
    [2, 0.5],
    [0.7, 0.9],
    [1, 1],
  ])('one subsampled release, z = %s, q = %s: within one per cent above the best threshold test', (z, q) => {
    const profile = privacyProfile([{ event: sampled(z, q), count: 1 }]);
    for (const fpr of [1e-4, 1e-3, 0.01, 0.1, 0.5, 0.95]) {
      const exact = sampledTpr(z, q, fpr);
      expect(bestTpr(profile, fpr)).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
      expect(bestTpr(profile, fpr)).toBeLessThanOrEqual(exact * 1.01);
    }
  });

  test('TPR is at least FPR, grows with it, and stays in [0, 1]; accuracy is at least 1/2', () => {
    fc.assert(
      fc.property(commonLedgers, fprs, fprs, (entries, a, b) => {
        const profile = privacyProfile(entries);
        const [low, high] = [bestTpr(profile, Math.min(a, b)), bestTpr(profile, Math.max(a, b))];
        expect(low).toBeGreaterThanOrEqual(Math.min(a, b));
        expect(high).toBeGreaterThanOrEqual(low - 1e-6);
        expect(high).toBeLessThanOrEqual(1);
        expect(low - Math.min(a, b)).toBeLessThanOrEqual(bestAdvantage(profile) + 1e-6);
        expect(bestAccuracy(profile)).toBeGreaterThanOrEqual(0.5);
        expect(bestAccuracy(profile)).toBeLessThanOrEqual(1);
      }),
      // Shrinking a ledger asks for hundreds of distributions.
      { numRuns: 5, endOnFailure: true },
    );
  });

  test('more rounds help the attacker, more noise hinders', () => {
    const at = (z: number, count: number): number =>
      bestTpr(privacyProfile([{ event: sampled(z, 0.05), count }]), 0.01);
    const byRounds = [1, 10, 100, 1000].map((count) => at(1, count));
    const byNoise = [8, 4, 2, 1].map((z) => at(z, 300));
    for (const tprs of [byRounds, byNoise]) expect(tprs).toEqual([...tprs].sort((a, b) => a - b));
    expect(byRounds.at(-1)).toBeGreaterThan(5 * (byRounds[0] ?? 1));
    expect(byNoise.at(-1)).toBeGreaterThan(5 * (byNoise[0] ?? 1));
  });

  test('nothing released gives the attacker nothing; nothing promised gives everything', () => {
    for (const fpr of [0, 0.01, 0.5, 1]) {
      expect(bestTpr(privacyProfile([]), fpr)).toBeCloseTo(fpr, 9);
      expect(bestTpr(privacyProfile([{ event: nonPrivate, count: 1 }]), fpr)).toBe(1);
    }
    expect(bestAdvantage(privacyProfile([]))).toBeCloseTo(0, 9);
    expect(bestAdvantage(privacyProfile([{ event: nonPrivate, count: 1 }]))).toBe(1);
  });
});

describe('one pair (epsilon, delta)', () => {
  const tprOf = (epsilon: number, delta: number, fpr: number): number =>
    bestTprOf(Epsilon.parse(epsilon), Delta.parse(delta), fpr);

  test('both lines of the pair, whichever is lower', () => {
    expect(tprOf(1, 1e-5, 0.01)).toBeCloseTo(Math.E * 0.01 + 1e-5, 12);
    expect(tprOf(1, 0.1, 0.5)).toBeCloseTo(1 - 0.4 / Math.E, 12);
    expect(tprOf(0, 0.1, 0.3)).toBeCloseTo(0.4, 12);
    expect(tprOf(Infinity, 1e-5, 0.01)).toBe(1);
    expect(tprOf(800, 1e-5, 0)).toBeCloseTo(1e-5, 12);
    expect(tprOf(800, 1e-5, 0.01)).toBe(1);
    expect(tprOf(2, 0.5, 1)).toBe(1);
  });

  test('allows at least what the whole profile allows', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.05, max: 5, noNaN: true }),
        fc.double({ min: 1e-8, max: 0.1, noNaN: true }),
        fprs,
        (mu, delta, fpr) => {
          const profile = gaussianProfile(mu);
          const epsilon = [...Array(400).keys()]
            .map((i) => i / 4)
            .find((e) => profile.delta(e).upper <= delta);
          expect(tprOf(epsilon ?? Infinity, delta, fpr)).toBeGreaterThanOrEqual(bestTpr(profile, fpr) - 1e-9);
        },
      ),
    );
  });
});
