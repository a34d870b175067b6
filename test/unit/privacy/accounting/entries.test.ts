import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { appendEvent, countEvents } from '../../../../shared/privacy/accounting/entries.ts';
import {
  type LedgerEntry,
  MechanismEvent,
  sampledGaussian,
} from '../../../../shared/privacy/accounting/event.ts';
import { NoiseMultiplier, SamplingRate } from '../../../../shared/units.ts';
import { events, gaussian, nonPrivate, sampled } from './events.ts';

const collected = (list: readonly MechanismEvent[]): readonly LedgerEntry[] =>
  list.reduce<readonly LedgerEntry[]>(appendEvent, []);
const expanded = (entries: readonly LedgerEntry[]): readonly MechanismEvent[] =>
  entries.flatMap(({ event, count }) => Array<MechanismEvent>(count).fill(event));
// Few values, so that neighbours are often equal.
const repeating = fc.array(
  fc.oneof(fc.constantFrom(gaussian(1), gaussian(2), sampled(1, 0.5), nonPrivate), events),
);

describe('appendEvent', () => {
  test('loses nothing, keeps the order, and never leaves two equal neighbours', () => {
    fc.assert(
      fc.property(repeating, (list) => {
        const entries = collected(list.map((event) => ({ ...event })));
        expect(expanded(entries)).toEqual(list);
        expect(countEvents(entries)).toBe(list.length);
        for (const [index, entry] of entries.entries()) {
          expect(entry.count).toBeGreaterThanOrEqual(1);
          expect(entry.event).not.toEqual(entries[index + 1]?.event);
        }
      }),
    );
  });

  test('leaves the given entries alone', () => {
    const entries = Object.freeze([Object.freeze({ event: gaussian(1), count: 3 })]);
    expect(appendEvent(entries, gaussian(1))).toEqual([{ event: gaussian(1), count: 4 }]);
    expect(appendEvent(entries, gaussian(2))).toHaveLength(2);
    expect(entries).toEqual([{ event: gaussian(1), count: 3 }]);
  });

  test('events of different kind, noise or rate are never merged', () => {
    const different = [gaussian(1), sampled(1, 1), sampled(1, 0.5), sampled(2, 0.5), gaussian(2), nonPrivate];
    for (const first of different)
      for (const second of different)
        expect(collected([first, second])).toHaveLength(first === second ? 1 : 2);
  });
});

test('countEvents of nothing is 0', () => {
  expect(countEvents([])).toBe(0);
});

describe('sampledGaussian', () => {
  test('is the plain Gaussian exactly when everybody takes part, and always a valid event', () => {
    fc.assert(
      fc.property(fc.double({ min: 1e-3, max: 1, noNaN: true }), (q) => {
        const event = sampledGaussian(NoiseMultiplier.parse(0.7), SamplingRate.parse(q));
        expect(MechanismEvent.parse(event)).toEqual(q === 1 ? gaussian(0.7) : sampled(0.7, q));
      }),
    );
    expect(sampledGaussian(NoiseMultiplier.parse(0.7), SamplingRate.parse(1))).toEqual(gaussian(0.7));
  });

  test('an unknown kind of event, a missing or an additional parameter is refused', () => {
    for (const wrong of [{ type: 'laplace' }, { type: 'gaussian' }, { ...gaussian(1), count: 2 }])
      expect(MechanismEvent.safeParse(wrong).success).toBe(false);
  });
});
