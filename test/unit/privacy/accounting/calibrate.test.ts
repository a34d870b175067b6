import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  noiseMultiplierFor,
  roundsWithin,
  type Target,
} from '../../../../shared/privacy/accounting/calibrate.ts';
import { type MechanismEvent, sampledGaussian } from '../../../../shared/privacy/accounting/event.ts';
import { rdpEpsilon } from '../../../../shared/privacy/accounting/rdp-accountant.ts';
import { Delta, Epsilon, NoiseMultiplier, SamplingRate } from '../../../../shared/units.ts';
import { gaussian, ledgers, noisyEvents, nonPrivate, sampled } from './events.ts';

const target = (epsilon: number, delta: number, rounds: number, q: number): Target => ({
  epsilon: Epsilon.parse(epsilon),
  delta: Delta.parse(delta),
  rounds,
  samplingRate: SamplingRate.parse(q),
});

function spent(asked: Target, z: number): number {
  const event = sampledGaussian(NoiseMultiplier.parse(z), asked.samplingRate);
  return rdpEpsilon([{ event, count: asked.rounds }], asked.delta);
}

describe('noiseMultiplierFor', () => {
  const targets = fc
    .tuple(
      fc.double({ min: 0.05, max: 30, noNaN: true }),
      fc.double({ min: 1e-10, max: 1e-3, noNaN: true }),
      fc.integer({ min: 1, max: 5000 }),
      fc.oneof(fc.constant(1), fc.double({ min: 1e-3, max: 1, noNaN: true })),
    )
    .map(([epsilon, delta, rounds, q]) => target(epsilon, delta, rounds, q));

  test('never exceeds the asked epsilon, and a little less noise would', () => {
    fc.assert(
      fc.property(targets, (asked) => {
        const z = noiseMultiplierFor(asked);
        expect(spent(asked, z)).toBeLessThanOrEqual(asked.epsilon);
        expect(spent(asked, z * (1 - 2e-6))).toBeGreaterThan(asked.epsilon);
      }),
      { numRuns: 15 },
    );
  });

  test('is safe also at the two ends: a huge epsilon, epsilon 0', () => {
    const generous = target(1e9, 1e-5, 1, 0.5);
    expect(noiseMultiplierFor(generous)).toBe(2 ** -6);
    expect(spent(generous, 2 ** -6)).toBeLessThanOrEqual(1e9);
    const strict = target(0, 0.01, 3, 0.5);
    expect(spent(strict, noiseMultiplierFor(strict))).toBe(0);
  });

  test('finds the noise of the TensorFlow Privacy example again', () => {
    expect(noiseMultiplierFor(target(2.5967, 1e-5, 14063, 256 / 60000))).toBeCloseTo(1.1, 4);
  });

  // Analytic Gaussian (Balle and Wang 2018): what one release needs at least.
  test.each([
    [0.5, 7.031827, 8.057618],
    [1, 3.730632, 4.224679],
    [2, 1.993812, 2.230476],
    [4, 1.081162, 1.193519],
    [8, 0.600229, 0.652935],
  ])(
    'one release within epsilon %d needs more than the least possible noise, by less than 12 %%',
    (epsilon, at5, at6) => {
      for (const [delta, least] of [
        [1e-5, at5],
        [1e-6, at6],
      ] as const) {
        const z = noiseMultiplierFor(target(epsilon, delta, 1, 1));
        expect(z).toBeGreaterThan(least);
        expect(z).toBeLessThan(1.12 * least);
      }
    },
  );

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

describe('roundsWithin', () => {
  const budget = (epsilon: number, event: MechanismEvent): Parameters<typeof roundsWithin>[0] => ({
    epsilon: Epsilon.parse(epsilon),
    delta: Delta.parse(1e-6),
    entries: [],
    event,
  });

  test('that many fit, one more does not', () => {
    fc.assert(
      fc.property(
        ledgers,
        noisyEvents,
        fc.double({ min: 0.1, max: 40, noNaN: true }),
        (entries, event, epsilon) => {
          const settings = { ...budget(epsilon, event), entries };
          const rounds = roundsWithin(settings);
          const after = (count: number): number =>
            rdpEpsilon(count === 0 ? entries : [...entries, { event, count }], settings.delta);
          if (rounds > 0) expect(after(rounds)).toBeLessThanOrEqual(epsilon);
          expect(after(rounds + 1)).toBeGreaterThan(epsilon);
        },
      ),
      { numRuns: 40 },
    );
  });

  test('the rounds that the noise was solved for fit', () => {
    const asked = target(3, 1e-6, 137, 0.2);
    const event = sampled(noiseMultiplierFor(asked), 0.2);
    expect(roundsWithin(budget(3, event))).toBe(137);
  });

  test('none when the ledger is over the limit already, when one is too much, or when nothing is promised', () => {
    const over = { ...budget(1, gaussian(1000)), entries: [{ event: gaussian(0.5), count: 1 }] };
    expect(roundsWithin(over)).toBe(0);
    expect(roundsWithin(budget(1, gaussian(1)))).toBe(0);
    expect(roundsWithin(budget(1e9, nonPrivate))).toBe(0);
  });

  test('without end when the limit is infinite', () => {
    expect(roundsWithin(budget(Infinity, nonPrivate))).toBe(Infinity);
    expect(roundsWithin(budget(1, gaussian(1e18)))).toBe(Infinity);
  });
});
