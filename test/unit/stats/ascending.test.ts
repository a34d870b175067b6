import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ascending } from '../../../shared/stats/ascending.ts';

const odd = fc.constantFrom(-Infinity, Infinity, -0, 0, 1, -1, 5e-324, -5e-324, 1.7e308, 1 + 2 ** -52);
const near = fc.integer({ min: -40, max: 40 }).map((n) => 1 + n * 2 ** -52);
const value = fc.oneof(odd, near, fc.double({ noNaN: true }), fc.double({ min: 0, max: 1, noNaN: true }));

/** Many scores from few: tiled with ties, or moved a little so that they agree in their leading bits only. */
function many(values: readonly number[], isMoved: boolean): Float64Array {
  return Float64Array.from({ length: 25_000 }, (_, index) => {
    const base = values[(index * 7919) % values.length] ?? 0;
    return isMoved ? base * (1 + ((index * 104_729) % 1009) * 2 ** -51) : base;
  });
}

test('few scores and many are in the order of the built-in sort, to the sign of zero', () => {
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 300 }), fc.boolean(), (values, isMoved) => {
      for (const scores of [Float64Array.from(values), many(values, isMoved)]) {
        const before = scores.slice();
        const sorted = ascending(scores);
        const expected = scores.toSorted();
        expect(sorted.length).toBe(expected.length);
        expect(sorted.findIndex((score, index) => !Object.is(score, expected[index]))).toBe(-1);
        expect(scores).toEqual(before);
      }
    }),
    { numRuns: 12, seed: 8 },
  );
});

test('NaN of either sign stands last', () => {
  const negative = new Float64Array(Uint32Array.of(0, 0xfff8_0000).buffer)[0] ?? 0;
  for (const bad of [Number.NaN, negative]) {
    const scores = many([3, -2], true);
    scores[17] = bad;
    expect(ascending(scores).at(-1)).toBeNaN();
    expect(ascending(Float64Array.of(bad, 1))).toEqual(Float64Array.of(1, Number.NaN));
  }
});
