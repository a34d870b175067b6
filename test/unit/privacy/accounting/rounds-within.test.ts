import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { accountants } from '../../../../shared/privacy/accounting/accountants.ts';
import { noiseMultiplierFor, roundsWithin } from '../../../../shared/privacy/accounting/calibrate.ts';
import type { MechanismEvent } from '../../../../shared/privacy/accounting/event.ts';
import { Delta, Epsilon, NoiseMultiplier, SamplingRate } from '../../../../shared/units.ts';
import {
  commonLedgers,
  commonRounds,
  gaussian,
  ledgers,
  noisyEvents,
  nonPrivate,
  sampled,
} from './events.ts';

describe('roundsWithin', () => {
  const budget = (epsilon: number, event: MechanismEvent): Parameters<typeof roundsWithin>[0] => ({
    epsilon: Epsilon.parse(epsilon),
    delta: Delta.parse(1e-6),
    entries: [],
    event,
  });

  test.each([
    { accountant: accountants.rdp, entriesToTry: ledgers, events: noisyEvents, most: 40, numRuns: 20 },
    { accountant: accountants.pld, entriesToTry: commonLedgers, events: commonRounds, most: 8, numRuns: 5 },
  ])('that many fit, one more does not; a ten-thousandth more where they are very many (%#)', (tried) => {
    const { accountant, entriesToTry, events, most, numRuns } = tried;
    const epsilons = fc.double({ min: 0.1, max: most, noNaN: true });
    fc.assert(
      fc.property(entriesToTry, events, epsilons, (entries, event, epsilon) => {
        const settings = { ...budget(epsilon, event), entries };
        const rounds = roundsWithin(settings, accountant);
        const after = (count: number): number =>
          accountant.epsilon(count === 0 ? entries : [...entries, { event, count }], settings.delta);
        if (rounds > 0) expect(after(rounds)).toBeLessThanOrEqual(epsilon);
        if (rounds < Infinity)
          expect(after(rounds <= 1e4 ? rounds + 1 : Math.ceil(rounds * 1.0002))).toBeGreaterThan(epsilon);
      }),
      { numRuns },
    );
  });

  test('the rounds that the noise was solved for fit', () => {
    const asked = {
      epsilon: Epsilon.parse(3),
      delta: Delta.parse(1e-6),
      rounds: 137,
      samplingRate: SamplingRate.parse(0.2),
    };
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

  test("a banded matrix's later rounds fit as far as its first one has paid for them", () => {
    const matrix = { coefficients: [1, 0.5], rounds: 9, minSeparation: 2, maxParticipations: 1 };
    const noise = { noiseMultiplier: NoiseMultiplier.parse(4), matrix };
    const opening: MechanismEvent = { type: 'banded-matrix', ...noise };
    const step: MechanismEvent = { type: 'banded-matrix-step', ...noise };
    const begun = { ...budget(3, step), entries: [{ event: opening, count: 1 }] };
    expect(roundsWithin(begun)).toBe(8);
    expect(roundsWithin({ ...begun, entries: [...begun.entries, { event: step, count: 5 }] })).toBe(3);
    expect(() => roundsWithin(budget(3, step))).toThrow(
      expect.objectContaining({ code: 'EVENT_UNSUPPORTED' }),
    );
  });
});
