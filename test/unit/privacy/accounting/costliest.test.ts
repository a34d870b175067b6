import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { costliestWithin, type Search } from '../../../../shared/privacy/accounting/costliest.ts';

/** A cost that counts how often it is asked for. */
function counted(cost: (x: number) => number): { cost: (x: number) => number; evaluations: () => number } {
  let evaluations = 0;
  return {
    cost: (x) => {
      evaluations += 1;
      return cost(x);
    },
    evaluations: () => evaluations,
  };
}

const range = { cheap: 2 ** 20, dear: 2 ** -6 };
/** Costs that fall with x: powers, powers under an exponential, and powers that drop to 0 or start at infinity. */
const falling = fc
  .record({
    scale: fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
    power: fc.double({ min: 0.3, max: 4, noNaN: true }),
    bend: fc.constantFrom(0, 0, 1),
    zeroBeyond: fc.constantFrom(Infinity, Infinity, 5),
    infiniteBelow: fc.constantFrom(0, 0, 0.4),
  })
  .map(({ scale, power, bend, zeroBeyond, infiniteBelow }) => (x: number) => {
    if (x < infiniteBelow) return Infinity;
    return x > zeroBeyond ? 0 : scale * x ** -power * Math.exp(Math.min(600, bend / x ** 2));
  });
const starts = fc.constantFrom(2 ** -6, 0.3, 1, 4, 1000, 2 ** 20);

describe('costliestWithin', () => {
  test('stays within the limit; a little costlier would not, unless that is the end of the range', () => {
    fc.assert(
      fc.property(falling, fc.double({ min: 1e-3, max: 1e3, noNaN: true }), starts, (cost, limit, start) => {
        const { cost: asked, evaluations } = counted(cost);
        const x = costliestWithin({ ...range, cost: asked, limit, start });
        if (x === undefined) expect(cost(range.cheap)).toBeGreaterThan(limit);
        else {
          expect(cost(x)).toBeLessThanOrEqual(limit);
          expect(
            x === range.dear || cost(x) >= 0.9999 * limit || cost(x * (1 - 1.1e-6)) > limit,
            `${x}`,
          ).toBe(true);
        }
        expect(evaluations()).toBeLessThan(120);
      }),
    );
  });

  test('a smooth cost takes few evaluations from a start that is near', () => {
    for (const power of [0.5, 1, 1.7, 3])
      for (const off of [0.6, 0.9, 1.1, 1.8]) {
        const { cost, evaluations } = counted((x) => 3 * x ** -power * Math.exp(0.2 / x));
        const best = costliestWithin({
          ...range,
          cost: (x) => x ** -power * 3 * Math.exp(0.2 / x),
          limit: 1.3,
          start: 1,
        });
        costliestWithin({ ...range, cost, limit: 1.3, start: (best ?? 1) * off });
        expect(evaluations()).toBeLessThanOrEqual(8);
      }
  });

  test('whole numbers: the largest that fits up to 10,000, and 1e-4 of it beyond', () => {
    fc.assert(
      fc.property(
        fc.double({ min: 0.2, max: 2, noNaN: true }),
        fc.double({ min: 1, max: 1e5, noNaN: true }),
        fc.double({ min: 0, max: 40, noNaN: true }),
        (power, limit, offset) => {
          const cost = (n: number): number => offset + n ** power;
          const search: Search = { cost, limit, cheap: 1, dear: 2 ** 40, start: 1, whole: true };
          const n = costliestWithin(search);
          if (n === undefined) {
            expect(cost(1)).toBeGreaterThan(limit);
            return;
          }
          expect(Number.isInteger(n)).toBe(true);
          expect(cost(n)).toBeLessThanOrEqual(limit);
          if (n < 2 ** 40) expect(cost(n <= 1e4 ? n + 1 : Math.ceil(n * 1.0001) + 1)).toBeGreaterThan(limit);
        },
      ),
    );
  });

  test('a limit of 0 is met by what costs nothing, found to a millionth', () => {
    const x = costliestWithin({ ...range, cost: (z) => Math.max(0, 1 / z - 0.25), limit: 0, start: 1 });
    expect(x).toBeGreaterThanOrEqual(4);
    expect(x).toBeLessThan(4 * (1 + 2e-6));
  });

  test('a cost that jumps over the limit is left on the safe side of the jump', () => {
    const x = costliestWithin({ ...range, cost: (z) => (z < Math.PI ? 9 : 2), limit: 5, start: 1 });
    expect(x).toBeGreaterThanOrEqual(Math.PI);
    expect(x).toBeLessThan(Math.PI * (1 + 2e-6));
  });

  test('an end of the range is an answer; a range in which nothing fits has none', () => {
    expect(costliestWithin({ ...range, cost: () => 1, limit: 2, start: 1 })).toBe(2 ** -6);
    expect(costliestWithin({ ...range, cost: () => 0, limit: 2, start: 1 })).toBe(2 ** -6);
    expect(costliestWithin({ ...range, cost: () => 3, limit: 2, start: 1 })).toBeUndefined();
    expect(costliestWithin({ ...range, cost: () => Infinity, limit: 2, start: 1 })).toBeUndefined();
    expect(costliestWithin({ cheap: 1, dear: 1, cost: () => 1, limit: 2, start: 1, whole: true })).toBe(1);
  });
});
