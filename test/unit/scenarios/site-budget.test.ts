import { describe, expect, test } from 'vitest';
import { siteBudget, siteBudgetWords } from '../../../scenarios/site-budget.ts';
import { accountants } from '../../../shared/privacy/accounting/accountants.ts';
import {
  type LedgerEntry,
  type MechanismEvent,
  sampledGaussian,
} from '../../../shared/privacy/accounting/event.ts';
import { Delta, NoiseMultiplier, SamplingRate } from '../../../shared/units.ts';

const delta = Delta.parse(1e-6);
const release = (z: number): MechanismEvent =>
  sampledGaussian(NoiseMultiplier.parse(z), SamplingRate.parse(0.1));
const spentOf = (entries: readonly LedgerEntry[]): number => accountants.pld.epsilon(entries, delta);

const older: readonly LedgerEntry[] = [{ event: release(2), count: 60 }];
const recent: readonly LedgerEntry[] = [{ event: release(1.5), count: 10 }];
const everything = [...older, ...recent];

/** What `parley ledger show` says of a ledger with a limit in total and one per period. */
function summary(
  total: number,
  perPeriod: number,
  charged: { charged?: readonly LedgerEntry[] } = { charged: recent },
) {
  const limit = (rule: string, span: string, epsilon: number, entries: readonly LedgerEntry[]) => {
    const spent = spentOf(entries);
    return { rule, span, limit: epsilon, spent, left: Math.max(0, epsilon - spent) };
  };
  return {
    ledger: 'ledger.sqlite',
    delta,
    events: everything,
    budget: [
      limit('maxEpsilon', 'in total', total, everything),
      { ...limit('perPeriod', 'in 30 days', perPeriod, recent), ...charged },
    ],
  };
}

describe('what a site can still afford', () => {
  const plan = { noiseMultiplier: 2, samplingRate: 0.1, rounds: 40 };

  test('as many rounds as fit every limit, and not one more', () => {
    const { limits, roundsLeft } = siteBudget(summary(4, 2), plan);
    const [total, period] = limits;
    const after = (entries: readonly LedgerEntry[], count = 0): number =>
      spentOf([...entries, { event: release(2), count }]);
    expect(after(everything, total?.roundsLeft)).toBeLessThanOrEqual(4);
    expect(after(everything, (total?.roundsLeft ?? 0) + 1)).toBeGreaterThan(4);
    expect(after(recent, period?.roundsLeft)).toBeLessThanOrEqual(2);
    expect(after(recent, (period?.roundsLeft ?? 0) + 1)).toBeGreaterThan(2);
    expect(roundsLeft).toBe(Math.min(total?.roundsLeft ?? 0, period?.roundsLeft ?? 0));
    expect(total?.after).toBeCloseTo(after(everything, 40), 9);
  });

  test('the noise that all rounds would need fits both limits, and a little less would not', () => {
    const { noiseNeeded, limits } = siteBudget(summary(3, 2), plan);
    const fits = (z: number): boolean =>
      spentOf([...everything, { event: release(z), count: 40 }]) <= 3 &&
      spentOf([...recent, { event: release(z), count: 40 }]) <= 2;
    expect(typeof noiseNeeded).toBe('number');
    expect(fits(Number(noiseNeeded))).toBe(true);
    expect(fits(Number(noiseNeeded) * 0.998)).toBe(false);
    expect(noiseNeeded).toBe(Math.max(...limits.map((limit) => Number(limit.noiseNeeded))));
  });

  test('without word of what a period is charged, the whole ledger is', () => {
    const [, known] = siteBudget(summary(9, 3), plan).limits;
    const [, unknown] = siteBudget(summary(9, 3, {}), plan).limits;
    expect(unknown?.roundsLeft).toBeLessThan(known?.roundsLeft ?? 0);
    expect(Number(unknown?.noiseNeeded)).toBeGreaterThan(Number(known?.noiseNeeded));
  });

  test('only what was asked for', () => {
    const rounds = siteBudget(summary(4, 2), { samplingRate: 0.1, rounds: 40 });
    expect(Object.keys(rounds)).not.toContain('roundsLeft');
    expect(rounds.noiseNeeded).toBeGreaterThan(0);
    const noise = siteBudget(summary(4, 2), { samplingRate: 0.1, noiseMultiplier: 2 });
    expect(Object.keys(noise)).not.toContain('noiseNeeded');
    expect(noise.roundsLeft).toBeGreaterThan(0);
  });

  test('a spent budget: no round fits and no noise helps; an unprotected ledger likewise', () => {
    const spent = siteBudget(summary(0.5, 2), plan);
    expect(spent).toMatchObject({ roundsLeft: 0, noiseNeeded: 'none would do' });
    expect(siteBudgetWords(spent).join('\n')).toMatch(
      /still fit: 0.*No noise multiplier would make 40 rounds fit now/s,
    );
    const unprotected = {
      ...summary(4, 2),
      events: [{ event: { type: 'non-private' }, count: 1 }],
      budget: [{ rule: 'maxEpsilon', span: 'in total', limit: 4, spent: 'infinite', left: 0 }],
    };
    const answer = siteBudget(unprotected, plan);
    expect(answer).toMatchObject({ roundsLeft: 0, noiseNeeded: 'none would do' });
    expect(siteBudgetWords(answer).join('\n')).toContain('infinite of 4.000 is spent');
  });

  test('an empty ledger has the whole budget', () => {
    const empty = { ...summary(4, 2), events: [], budget: summary(4, 2).budget.slice(0, 1) };
    const { roundsLeft = 0 } = siteBudget(empty, plan);
    expect(spentOf([{ event: release(2), count: roundsLeft }])).toBeLessThanOrEqual(4);
    expect(spentOf([{ event: release(2), count: roundsLeft + 1 }])).toBeGreaterThan(4);
  });

  test.each([
    {},
    { samplingRate: 0.1 },
    { noiseMultiplier: 1, rounds: 3 },
    { samplingRate: 2, rounds: 3 },
    { samplingRate: 0.1, rounds: 0.5 },
    { samplingRate: 0.1, noiseMultiplier: -1 },
  ])('refuses the plan %j and says which options to give', (asked) => {
    expect(() => siteBudget(summary(4, 2), asked)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        message: expect.stringMatching(/--sampling-rate.*--noise-multiplier.*--rounds/s) as string,
      }),
    );
  });
});
