import { expect, test } from 'vitest';
import type { LedgerEntry, MechanismEvent } from '../../../../shared/privacy/accounting/event.ts';
import { interpreted } from '../../../../shared/privacy/accounting/interpret.ts';
import { NoiseMultiplier, SamplingRate } from '../../../../shared/units.ts';
import { gaussian, nonPrivate, sampled } from './events.ts';

const repeated = (count: number, event: MechanismEvent): MechanismEvent => ({
  type: 'repetition',
  event,
  count,
});
const composed = (...events: readonly MechanismEvent[]): MechanismEvent => ({ type: 'composition', events });
const adaptive = (update: number, quantile: number, q: number): MechanismEvent => ({
  type: 'adaptive-clipping',
  updateNoiseMultiplier: NoiseMultiplier.parse(update),
  quantileNoiseMultiplier: NoiseMultiplier.parse(quantile),
  samplingRate: SamplingRate.parse(q),
});
/** One user in one round at most, so its sensitivity is the norm of one column, here exactly 5. */
const banded: MechanismEvent = {
  type: 'banded-matrix',
  noiseMultiplier: NoiseMultiplier.parse(10),
  matrix: { coefficients: [3, 4], rounds: 6, minSeparation: 2, maxParticipations: 1 },
};

/** Event, times in the ledger, and what it comes down to: noise multiplier, sampling rate, count. Counted by hand. */
const fixed: readonly (readonly [string, MechanismEvent, number, readonly (readonly number[])[]])[] = [
  ['a release', gaussian(2), 1, [[2, 1, 1]]],
  ['the same seven times', gaussian(2), 7, [[2, 1, 7]]],
  ['sampled, five times', sampled(1.5, 0.25), 5, [[1.5, 0.25, 5]]],
  ['everybody by a coin is no coin', sampled(2, 1), 3, [[2, 1, 3]]],
  ['a repetition', repeated(3, gaussian(2)), 1, [[2, 1, 3]]],
  ['a repetition several times', repeated(3, sampled(1, 0.5)), 5, [[1, 0.5, 15]]],
  ['a repetition of a repetition', repeated(2, repeated(3, gaussian(2))), 5, [[2, 1, 30]]],
  [
    'a composition several times',
    composed(gaussian(2), sampled(1, 0.5)),
    4,
    [
      [1, 0.5, 4],
      [2, 1, 4],
    ],
  ],
  ['a composition with one event twice', composed(gaussian(2), gaussian(2)), 3, [[2, 1, 6]]],
  [
    'a repetition in a composition in a repetition',
    repeated(3, composed(repeated(2, gaussian(2)), sampled(1, 0.5), gaussian(4))),
    5,
    [
      [1, 0.5, 15],
      [2, 1, 30],
      [4, 1, 15],
    ],
  ],
  ['adaptive clipping, 3-4-5: 1/z^2 = 1/3^2 + 1/4^2', adaptive(3, 4, 0.5), 6, [[2.4, 0.5, 6]]],
  ['adaptive clipping repeated', repeated(2, adaptive(3, 4, 0.5)), 6, [[2.4, 0.5, 12]]],
  ['a whole banded matrix', banded, 2, [[2, 1, 2]]],
  ['a banded matrix repeated', repeated(2, banded), 3, [[2, 1, 6]]],
];

const rowsOf = (entries: readonly LedgerEntry[]): readonly (readonly number[])[] => {
  const mechanisms = interpreted(entries);
  if (mechanisms === 'non-private') return [];
  return mechanisms.map(({ noiseMultiplier, samplingRate, count }) => [noiseMultiplier, samplingRate, count]);
};

test.each(fixed)('%s', (_, event, count, expected) => {
  const rows = rowsOf([{ event, count }]);
  expect(rows).toHaveLength(expected.length);
  for (const [index, [z = NaN, q, times]] of expected.entries()) {
    expect(rows[index]![0]).toBeCloseTo(z, 12);
    expect(rows[index]!.slice(1)).toEqual([q, times]);
  }
});

test('all of a ledger adds up, in an order of its own', () => {
  const entries = [
    { event: gaussian(2), count: 3 },
    { event: composed(gaussian(2), sampled(1, 0.5)), count: 4 },
    { event: repeated(10, sampled(1, 0.5)), count: 1 },
    { event: gaussian(3), count: 1 },
  ];
  const expected = [
    [1, 0.5, 14],
    [2, 1, 7],
    [3, 1, 1],
  ];
  expect(rowsOf(entries)).toEqual(expected);
  expect(rowsOf([...entries].reverse())).toEqual(expected);
  expect(rowsOf([])).toEqual([]);
});

test('a banded matrix pays for as many later rounds as it has, for each time it began', () => {
  const step: MechanismEvent = { ...banded, type: 'banded-matrix-step' };
  const after =
    (begun: MechanismEvent, later: MechanismEvent, count: number): (() => unknown) =>
    () =>
      interpreted([
        { event: later, count },
        { event: begun, count: 1 },
      ]);
  expect(after(banded, step, 5)).not.toThrow();
  expect(after(banded, step, 6)).toThrow(/^(?=.*\b1 round\(s\))/);
  expect(after(repeated(2, banded), step, 10)).not.toThrow();
  expect(after(repeated(2, banded), repeated(11, step), 1)).toThrow(/^(?=.*\b1 round\(s\))/);
  expect(after(composed(banded, repeated(3, step)), step, 2)).not.toThrow();
  expect(after(composed(banded, repeated(3, step)), step, 3)).toThrow(/^(?=.*\b1 round\(s\))/);
});

test('one event without noise, however deep, takes the promise from all', () => {
  for (const event of [
    nonPrivate,
    repeated(2, nonPrivate),
    composed(gaussian(1), repeated(3, composed(nonPrivate))),
  ])
    expect(
      interpreted([
        { event: gaussian(9), count: 2 },
        { event, count: 1 },
      ]),
    ).toBe('non-private');
});
