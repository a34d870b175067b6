import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z as schema } from 'zod';
import type { Accountant } from '../../../../shared/privacy/accounting/accountant.ts';
import { accountants } from '../../../../shared/privacy/accounting/accountants.ts';
import {
  deltaFor,
  noiseMultiplierFor,
  samplingRateFor,
  type Target,
} from '../../../../shared/privacy/accounting/calibrate.ts';
import { type LedgerEntry, sampledGaussian } from '../../../../shared/privacy/accounting/event.ts';
import { Delta, Epsilon, NoiseMultiplier, SamplingRate } from '../../../../shared/units.ts';
import { gaussian, ledgers, nonPrivate, sampled } from './events.ts';

const { pld, rdp, gaussian: analytic } = accountants;

const target = (epsilon: number, delta: number, rounds: number, q: number): Target => ({
  epsilon: Epsilon.parse(epsilon),
  delta: Delta.parse(delta),
  rounds,
  samplingRate: SamplingRate.parse(q),
});

function spent({ rounds, samplingRate, delta, spent: before = [] }: Target, z: number, by = pld): number {
  const event = sampledGaussian(NoiseMultiplier.parse(z), samplingRate);
  return by.epsilon([...before, { event, count: rounds }], delta);
}

/** An accountant that counts how often it is asked. */
function counted(accountant: Accountant): { accountant: Accountant; evaluations: () => number } {
  let evaluations = 0;
  const epsilon: Accountant['epsilon'] = (entries, delta) => {
    evaluations += 1;
    return accountant.epsilon(entries, delta);
  };
  return { accountant: { ...accountant, epsilon }, evaluations: () => evaluations };
}

const epsilons = fc.double({ min: 0.05, max: 30, noNaN: true });
const deltas = fc.double({ min: 1e-10, max: 1e-3, noNaN: true });
const roundCounts = fc.integer({ min: 1, max: 5000 });
const rates = fc.oneof(fc.constant(1), fc.double({ min: 1e-3, max: 1, noNaN: true }));
const accountantsToTry = fc.constantFrom(pld, rdp);

const { noise } = schema
  .object({
    noise: schema.array(
      schema.object({
        epsilon: schema.number(),
        delta: schema.number(),
        rounds: schema.number(),
        samplingRate: schema.number(),
        noiseMultiplier: schema.number(),
      }),
    ),
  })
  .parse(JSON.parse(readFileSync(new URL('../../../vectors/calibration.json', import.meta.url), 'utf8')));

describe('noiseMultiplierFor', () => {
  const targets = fc
    .tuple(epsilons, deltas, roundCounts, rates)
    .map(([epsilon, delta, rounds, q]) => target(epsilon, delta, rounds, q));

  test('never exceeds the asked epsilon, and comes within a thousandth of it', () => {
    fc.assert(
      fc.property(targets, accountantsToTry, (asked, accountant) => {
        const z = noiseMultiplierFor(asked, accountant);
        expect(spent(asked, z, accountant)).toBeLessThanOrEqual(asked.epsilon);
        if (spent(asked, z, accountant) < 0.999 * asked.epsilon)
          expect(spent(asked, z * (1 - 2e-6), accountant)).toBeGreaterThan(asked.epsilon);
      }),
      { numRuns: 15 },
    );
  });

  test('pays for what was spent before out of the same epsilon', () => {
    const before: readonly LedgerEntry[] = [{ event: sampled(1, 0.05), count: 20 }];
    const asked = { ...target(3, 1e-5, 100, 0.05), spent: before };
    const z = noiseMultiplierFor(asked);
    expect(z).toBeGreaterThan(noiseMultiplierFor(target(3, 1e-5, 100, 0.05)));
    expect(spent(asked, z)).toBeLessThanOrEqual(3);
    expect(spent(asked, z)).toBeGreaterThan(0.999 * 3);
    expect(() => noiseMultiplierFor({ ...asked, spent: [{ event: gaussian(0.5), count: 1 }] })).toThrow(
      expect.objectContaining({
        code: 'CALIBRATION_IMPOSSIBLE',
        message: expect.stringContaining('spent') as string,
      }),
    );
  });

  test('is safe also at the two ends: a huge epsilon, epsilon 0', () => {
    const generous = target(1e9, 1e-5, 1, 0.5);
    expect(noiseMultiplierFor(generous)).toBe(2 ** -6);
    expect(spent(generous, 2 ** -6)).toBeLessThanOrEqual(1e9);
    const strict = target(0, 0.01, 3, 0.5);
    expect(spent(strict, noiseMultiplierFor(strict))).toBe(0);
  });

  test('finds the noise of the TensorFlow Privacy example again, by the accountant that published it', () => {
    expect(noiseMultiplierFor(target(2.5967, 1e-5, 14063, 256 / 60000), rdp)).toBeCloseTo(1.1, 3);
  });

  test.each(noise)(
    'agrees with dp_accounting: %j',
    ({ epsilon, delta, rounds, samplingRate, noiseMultiplier }) => {
      const z = noiseMultiplierFor(target(epsilon, delta, rounds, samplingRate));
      expect(Math.abs(z / noiseMultiplier - 1)).toBeLessThan(0.003);
    },
  );

  test('asks the accountant a handful of times', () => {
    for (const asked of [target(4, 1e-6, 10_000, 0.01), target(1, 1e-5, 50, 0.2), target(8, 1e-6, 300, 1)]) {
      const { accountant, evaluations } = counted(pld);
      noiseMultiplierFor(asked, accountant);
      expect(evaluations()).toBeLessThanOrEqual(8);
    }
  });

  // Analytic Gaussian (Balle and Wang 2018): what one release needs at least.
  test.each([
    [0.5, 7.031827, 8.057618],
    [1, 3.730632, 4.224679],
    [2, 1.993812, 2.230476],
    [4, 1.081162, 1.193519],
    [8, 0.600229, 0.652935],
  ])('one release within epsilon %s needs the least possible noise', (epsilon, at5, at6) => {
    for (const [delta, least] of [
      [1e-5, at5],
      [1e-6, at6],
    ] as const)
      for (const accountant of [analytic, pld]) {
        const z = noiseMultiplierFor(target(epsilon, delta, 1, 1), accountant);
        expect(z).toBeGreaterThan(least * (1 - 1e-6));
        expect(z).toBeLessThan(1.002 * least);
      }
  });

  test.each([
    ['infinite epsilon', target(Infinity, 1e-5, 1, 1)],
    ['no round', target(1, 1e-5, 0, 1)],
    ['half a round', target(1, 1e-5, 0.5, 1)],
    ['epsilon that no noise reaches', target(0, 1e-12, 10, 1)],
  ])('refuses: %s', (_, asked) => {
    expect(() => noiseMultiplierFor(asked)).toThrow(
      expect.objectContaining({ code: 'CALIBRATION_IMPOSSIBLE' }),
    );
  });
});

describe('samplingRateFor', () => {
  const rateFor = (epsilon: number, delta: number, rounds: number, z: number): number =>
    samplingRateFor({
      epsilon: Epsilon.parse(epsilon),
      delta: Delta.parse(delta),
      rounds,
      noiseMultiplier: NoiseMultiplier.parse(z),
    });

  test('never exceeds the asked epsilon, and comes within a thousandth of it or everybody takes part', () => {
    fc.assert(
      fc.property(
        epsilons,
        deltas,
        // Rarer coins are left to Renyi divergences, and where they take over the cost falls by a step.
        fc.integer({ min: 50, max: 5000 }),
        fc.double({ min: 0.8, max: 20, noNaN: true }),
        (epsilon, delta, rounds, z) => {
          const q = rateFor(epsilon, delta, rounds, z);
          const cost = (rate: number): number => spent(target(epsilon, delta, rounds, Math.min(1, rate)), z);
          expect(cost(q)).toBeLessThanOrEqual(epsilon);
          if (q < 1 && cost(q) < 0.999 * epsilon) expect(cost(q * (1 + 2e-6))).toBeGreaterThan(epsilon);
        },
      ),
      { numRuns: 12 },
    );
  });

  test('finds the rate of a published row again', () => {
    // accountant.csv: z 1, q 0.01, 1000 rounds, delta 1e-5.
    expect(rateFor(1.828, 1e-5, 1000, 1)).toBeGreaterThan(0.0099);
    expect(rateFor(1.828, 1e-5, 1000, 1)).toBeLessThan(0.0101);
  });

  test('everybody where that fits; impossible where epsilon is infinite', () => {
    expect(rateFor(10, 1e-5, 1, 2)).toBe(1);
    expect(() => rateFor(Infinity, 1e-5, 1, 2)).toThrow(
      expect.objectContaining({ code: 'CALIBRATION_IMPOSSIBLE' }),
    );
  });
});

describe('deltaFor', () => {
  const deltaOf = (epsilon: number, entries: readonly LedgerEntry[], accountant?: Accountant): number =>
    deltaFor({ epsilon: Epsilon.parse(epsilon), entries }, accountant);

  test('is enough for epsilon, and a little less is not', () => {
    fc.assert(
      fc.property(
        ledgers,
        fc.double({ min: 0.5, max: 20, noNaN: true }),
        accountantsToTry,
        (entries, epsilon, by) => {
          fc.pre(entries.length > 0 && by.delta(entries, Epsilon.parse(epsilon)) < 0.9);
          const delta = deltaOf(epsilon, entries, by);
          expect(by.epsilon(entries, Delta.parse(delta))).toBeLessThanOrEqual(epsilon);
          if (delta > 1e-10)
            expect(by.epsilon(entries, Delta.parse(delta * 0.99))).toBeGreaterThan(epsilon * (1 - 1e-9));
        },
      ),
      { numRuns: 15 },
    );
  });

  test('of one Gaussian is that of Balle and Wang', () => {
    expect(deltaOf(4.377178, [{ event: gaussian(1), count: 1 }], analytic)).toBeCloseTo(1e-5, 10);
    expect(deltaOf(1.25, [{ event: gaussian(1), count: 1 }], analytic)).toBeGreaterThan(1e-5);
  });

  test('next to nothing where nothing was released; impossible where nothing is promised', () => {
    expect(deltaOf(1, [])).toBeLessThan(1e-12);
    expect(() => deltaOf(1, [{ event: nonPrivate, count: 1 }])).toThrow(
      expect.objectContaining({ code: 'CALIBRATION_IMPOSSIBLE' }),
    );
  });
});
