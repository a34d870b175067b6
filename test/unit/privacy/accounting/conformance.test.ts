import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Accountant } from '../../../../shared/privacy/accounting/accountant.ts';
import { accountants } from '../../../../shared/privacy/accounting/accountants.ts';
import {
  type LedgerEntry,
  type MechanismEvent,
  withNoiseTimes,
} from '../../../../shared/privacy/accounting/event.ts';
import { withParts } from '../../../../shared/privacy/accounting/event-parts.ts';
import type { BandedMatrix } from '../../../../shared/privacy/banded-matrix.ts';
import { Delta, Epsilon, NoiseMultiplier, SamplingRate } from '../../../../shared/units.ts';
import { gaussian, noisyEvents, nonPrivate, sampled } from './events.ts';

const { pld, 'pld-lower': pldLower, rdp, 'rdp-basic': rdpBasic, gaussian: analytic } = accountants;

/** What an accountant can interpret, how many random ledgers it is tried on, and how far an answer may lie from the true curve. */
interface Tried {
  readonly accountant: Accountant;
  readonly kinds: fc.Arbitrary<MechanismEvent>;
  readonly numRuns: number;
  /** Relative; the bounds of privacy loss distributions are 1e-3 apart. */
  readonly slack: number;
}

/** The same event with everybody taking part. */
function withoutCoins(event: MechanismEvent): MechanismEvent {
  return withParts(event, (part) => {
    if (part.type === 'poisson-subsampled-gaussian') return gaussian(part.noiseMultiplier);
    return part.type === 'adaptive-clipping' ? { ...part, samplingRate: SamplingRate.parse(1) } : part;
  });
}

const tried: readonly Tried[] = [
  { accountant: pld, kinds: noisyEvents, numRuns: 4, slack: 1e-3 },
  { accountant: pldLower, kinds: noisyEvents, numRuns: 4, slack: 1e-3 },
  { accountant: rdp, kinds: noisyEvents, numRuns: 30, slack: 1e-9 },
  { accountant: rdpBasic, kinds: noisyEvents, numRuns: 30, slack: 1e-9 },
  { accountant: analytic, kinds: noisyEvents.map(withoutCoins), numRuns: 100, slack: 1e-9 },
];

/** Shrinking a ledger asks for hundreds of distributions. */
const endOnFailure = true;

const deltas = fc.double({ min: 1e-10, max: 1e-2, noNaN: true }).map((value) => Delta.parse(value));
const factors = fc.double({ min: 1, max: 4, noNaN: true });
const counts = fc.integer({ min: 2, max: 40 });
const once = (...events: readonly MechanismEvent[]): readonly LedgerEntry[] =>
  events.map((event) => ({ event, count: 1 }));

function ledgersOf(kinds: fc.Arbitrary<MechanismEvent>): fc.Arbitrary<readonly LedgerEntry[]> {
  return fc.array(fc.record({ event: kinds, count: fc.integer({ min: 1, max: 60 }) }), {
    minLength: 1,
    maxLength: 2,
  });
}

const matrix: BandedMatrix = { coefficients: [1, 0.5], rounds: 4, minSeparation: 2, maxParticipations: 2 };
const noiseMultiplier = NoiseMultiplier.parse(2);
const opening: MechanismEvent = { type: 'banded-matrix', noiseMultiplier, matrix };
const step: MechanismEvent = { type: 'banded-matrix-step', noiseMultiplier, matrix };

describe.each(tried)('the accountant $accountant.name', ({ accountant, kinds, numRuns, slack }) => {
  const delta = Delta.parse(1e-6);
  const cost = (entries: readonly LedgerEntry[], at = delta): number => accountant.epsilon(entries, at);
  const atMost = (value: number): number => value * (1 + slack) + 2e-6;

  test('n events at once cost what n events one after another do, however they are grouped, in any order', () => {
    fc.assert(
      fc.property(ledgersOf(kinds), kinds, counts, deltas, (entries, event, count, at) => {
        const expected = cost([...entries, { event, count }], at);
        const backwards = [...entries].reverse();
        expect(cost([...once(...Array<MechanismEvent>(count).fill(event)), ...backwards], at)).toBe(expected);
        const composed = once(
          { type: 'repetition', event, count: count - 1 },
          { type: 'composition', events: [event] },
        );
        expect(cost([...backwards, ...composed], at)).toBe(expected);
      }),
      { numRuns, endOnFailure },
    );
  });

  test('costs rise with events, and fall with noise and with delta', () => {
    fc.assert(
      fc.property(ledgersOf(kinds), kinds, deltas, factors, (entries, event, at, factor) => {
        const all = [...entries, ...once(event)];
        const epsilon = cost(all, at);
        expect(cost(entries, at)).toBeLessThanOrEqual(atMost(epsilon));
        expect(cost(all, Delta.parse(at * factor))).toBeLessThanOrEqual(atMost(epsilon));
        const quieter = all.map((entry) => ({ ...entry, event: withNoiseTimes(entry.event, factor) }));
        expect(cost(quieter, at)).toBeLessThanOrEqual(atMost(epsilon));
      }),
      { numRuns, endOnFailure },
    );
  });

  test('each repetition is paid: twice as many cost clearly more', () => {
    for (const z of [1, 5]) {
      const event = withoutCoins(sampled(z, 0.5));
      const [one, two] = [1, 2].map((count) =>
        cost([{ event: { type: 'repetition', event, count: 1 }, count }]),
      );
      expect(two).toBeGreaterThan(1.2 * (one ?? NaN));
      expect(cost(once({ type: 'repetition', event, count: 2 }))).toBe(two);
    }
  });

  test('delta and epsilon are one curve', () => {
    fc.assert(
      fc.property(ledgersOf(kinds), deltas, (entries, at) => {
        const epsilon = cost(entries, at);
        const back = accountant.delta(entries, Epsilon.parse(epsilon));
        if (accountant.bound !== 'lower') expect(back).toBeLessThanOrEqual(at * (1 + 20 * slack + 1e-6));
        const less = accountant.delta(entries, Epsilon.parse(epsilon * 0.98));
        if (epsilon > 0.01) expect(less).toBeGreaterThan(at);
      }),
      { numRuns, endOnFailure },
    );
  });

  test('nothing released costs 0; one thing without noise, among others, costs Infinity', () => {
    expect(cost([])).toBe(0);
    expect(accountant.delta([], Epsilon.parse(0))).toBe(0);
    for (const hidden of [
      nonPrivate,
      { type: 'repetition', event: nonPrivate, count: 1 } as const,
      { type: 'composition', events: [gaussian(5), nonPrivate] } as const,
    ]) {
      expect(cost(once(gaussian(5), hidden))).toBe(Infinity);
      expect(accountant.delta(once(hidden, gaussian(5)), Epsilon.parse(100))).toBe(1);
    }
  });

  test('a later round of a banded matrix costs nothing once it is paid, and is unsupported before', () => {
    expect(cost(once(opening, step, step, step))).toBe(cost(once(opening)));
    expect(cost(once(opening))).toBeGreaterThan(cost(once(gaussian(2))));
    const unpaid: readonly (readonly LedgerEntry[])[] = [
      once(step),
      once({ type: 'repetition', event: step, count: 2 }),
      once({ type: 'composition', events: [gaussian(2), step] }),
      once(opening, step, step, step, step),
      once(opening, { ...step, noiseMultiplier: NoiseMultiplier.parse(3) }),
    ];
    for (const entries of unpaid) expectUnsupported(accountant, entries);
  });

  test('an event of an unknown kind is unsupported, also inside others', () => {
    const unknown = { type: 'laplace', noiseMultiplier: 1 } as unknown as MechanismEvent;
    expectUnsupported(accountant, once(unknown));
    expectUnsupported(accountant, once(gaussian(1), { type: 'repetition', event: unknown, count: 3 }));
    expectUnsupported(accountant, once({ type: 'composition', events: [gaussian(1), unknown] }));
  });
});

function expectUnsupported(accountant: Accountant, entries: readonly LedgerEntry[]): void {
  const unsupported = expect.objectContaining({ code: 'EVENT_UNSUPPORTED' }) as Error;
  expect(() => accountant.epsilon(entries, Delta.parse(1e-6))).toThrow(unsupported);
  expect(() => accountant.delta(entries, Epsilon.parse(1))).toThrow(unsupported);
}

test('the analytic Gaussian refuses what was sampled, wherever it stands', () => {
  for (const event of [
    sampled(1, 0.5),
    { type: 'composition', events: [gaussian(1), sampled(1, 0.5)] } as const,
  ])
    expectUnsupported(analytic, once(gaussian(2), event));
});

describe('accountants beside each other', () => {
  test('pld-lower <= pld <= rdp <= rdp-basic', () => {
    fc.assert(
      fc.property(ledgersOf(noisyEvents), deltas, (entries, at) => {
        const [lower, upper, renyi, basic] = [pldLower, pld, rdp, rdpBasic].map((by) =>
          by.epsilon(entries, at),
        );
        expect(lower).toBeLessThanOrEqual(upper!);
        expect(upper).toBeLessThanOrEqual(renyi! * (1 + 1e-3) + 1e-6);
        expect(lower).toBeLessThanOrEqual(renyi!);
        expect(renyi).toBeLessThanOrEqual(basic!);
      }),
      { numRuns: 6, endOnFailure },
    );
  });

  test('without coins pld and pld-lower enclose the analytic value, and meet it', () => {
    fc.assert(
      fc.property(ledgersOf(noisyEvents.map(withoutCoins)), deltas, (entries, at) => {
        const exact = analytic.epsilon(entries, at);
        const [lower, upper] = [pldLower.epsilon(entries, at), pld.epsilon(entries, at)];
        expect(lower).toBeLessThanOrEqual(exact);
        expect(exact).toBeLessThanOrEqual(upper);
        expect(upper - lower).toBeLessThanOrEqual(1e-9 * upper + 1e-9);
      }),
    );
  });

  test.each([
    [0.1, 1e-9, 1e6],
    [0.1, 1e-8, 1e5],
    [0.4, 1e-10, 1e7],
    [10, 1e-12, 1e9],
  ])('very many releases of hardly anybody fit into memory: z = %d, q = %d, %d of them', (z, q, count) => {
    const entries = [{ event: sampled(z, q), count }];
    const [byPld, byRdp] = [pld, rdp].map((by) => by.epsilon(entries, Delta.parse(1e-6)));
    expect(byPld).toBeLessThanOrEqual(byRdp!);
    expect(byRdp).toBeLessThan(100);
  });

  test('a coin that hardly ever falls on yes is never worse than Renyi divergences say', () => {
    const entries = [{ event: sampled(0.4, 2 ** -40), count: 1 }];
    const [byPld, byRdp] = [pld, rdp].map((by) => by.epsilon(entries, Delta.parse(1e-10)));
    expect(byPld).toBeLessThanOrEqual(byRdp!);
    expect(byRdp).toBeLessThan(1);
  });

  // The last once kept the lower grid busy for ever: its first outcomes were minus infinity.
  test.each([
    [2, 1 - 1e-9],
    [2, 1 - 2 ** -53],
    [0.3, 1 - 6 * 2 ** -53],
  ])('a coin that nearly always falls on yes costs nearly what none does: z = %s, q = %s', (z, q) => {
    const [coin, none] = [sampled(z, q), gaussian(z)].map((event) => [{ event, count: 9 }]);
    for (const by of [pld, pldLower, rdp, rdpBasic]) {
      const epsilon = by.epsilon(none!, Delta.parse(1e-6));
      expect(Math.abs(by.epsilon(coin!, Delta.parse(1e-6)) / epsilon - 1)).toBeLessThan(1e-3);
      const delta = by.delta(none!, Epsilon.parse(epsilon));
      expect(Math.abs(by.delta(coin!, Epsilon.parse(epsilon)) / delta - 1)).toBeLessThan(0.01);
    }
  });
});
