import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  bernoulli,
  bernoulliExp,
  bernoulliExpNear,
  type NearFraction,
  uniformInteger,
} from '../../../shared/random/exact.ts';
import { type Rng, seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';

const last = 2 ** 53 - 1;

/** A stream whose uniform numbers are the given multiples of 2^-53, then the largest; its words are all the same. */
function scripted(cells: readonly number[], word = 0): Rng {
  const left = [...cells];
  return {
    ...seededRng(Seed.parse(1)),
    uniform: () => (left.shift() ?? last) / 2 ** 53,
    uint32: () => word,
  };
}

const ratio = fc
  .integer({ min: 1, max: 2 ** 40 })
  .chain((b) => fc.tuple(fc.integer({ min: 0, max: b }), fc.constant(b)));
const nearby = fc.integer({ min: -4, max: 4 });

describe('uniformInteger', () => {
  test('is the cycle of 52 bits that the number falls in, exactly', () => {
    const sizes = fc.oneof(fc.integer({ min: 1, max: 1000 }), fc.integer({ min: 1, max: 2 ** 52 }));
    fc.assert(
      fc.property(sizes, fc.integer({ min: 0, max: 2 ** 52 - 1 }), nearby, (n, drawn, off) => {
        const cycle = Math.floor(2 ** 52 / n);
        const atEdge = Math.min(2 ** 52 - 1, Math.max(0, Math.floor(drawn / cycle) * cycle + off));
        for (const cell of [drawn, atEdge]) {
          const expected = BigInt(cell) / BigInt(cycle);
          const value = uniformInteger(scripted([2 * cell, 0]), n);
          expect(value).toBe(expected < n ? Number(expected) : 0);
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('refuses the incomplete last cycle', () => {
    // 2^52 = 3 * cycle + 1: the last of all values has no place.
    expect(uniformInteger(scripted([last, 2]), 3)).toBe(0);
    expect(uniformInteger(scripted([last - 2]), 3)).toBe(2);
    expect(uniformInteger(scripted([last]), 2)).toBe(1);
  });

  test('n = 1 leaves nothing to choose', () => {
    expect(uniformInteger(scripted([last]), 1)).toBe(0);
  });
});

describe('bernoulli', () => {
  test('is decided by 53 digits just where they leave no doubt, and by more digits in between', () => {
    fc.assert(
      fc.property(ratio, nearby, ([a, b], off) => {
        const edge = (BigInt(a) << 53n) / BigInt(b);
        const cell = Math.min(last, Math.max(0, Number(edge) + off));
        // The fraction of this cell that lies below a / b, in units of 1 / b: further digits 0 are below it unless it is empty.
        const below = (BigInt(a) << 53n) - BigInt(cell) * BigInt(b);
        expect(bernoulli(scripted([cell], 0), a, b)).toBe(below > 0n);
        if (below <= 0n || below >= BigInt(b))
          expect(bernoulli(scripted([cell], 2 ** 32 - 1), a, b)).toBe(below > 0n);
      }),
      { numRuns: 5000 },
    );
  });

  test('within the doubtful cell the probability is the exact remainder', () => {
    // 2^53 / 3 = cell + 2/3: further digits 0 and 1 of 0, 1, 2 say yes, 2 says no, and 3 is drawn again.
    const cell = Math.floor(2 ** 53 / 3);
    const remainder = Number((1n << 53n) - BigInt(cell) * 3n);
    const outcomes = [0, 1, 2].map((word) => bernoulli(scripted([cell], word), 1, 3));
    expect(outcomes).toEqual([0, 1, 2].map((word) => word < remainder));
    const words = [3, 3, 0];
    expect(bernoulli({ ...scripted([cell]), uint32: () => words.shift() ?? 2 }, 1, 3)).toBe(true);
    expect(words).toEqual([]);
  });

  test('0 is never, 1 is always', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2 ** 53 }), fc.integer({ min: 0, max: last }), (b, cell) => {
        for (const each of [cell, 0, last]) {
          expect(bernoulli(scripted([each]), 0, b)).toBe(false);
          expect(bernoulli(scripted([each], 2 ** 32 - 1), b, b)).toBe(true);
        }
      }),
    );
  });
});

/** How many cells of the k-th coin say yes for certain, found by bisection; the coins before it say yes and those after no. */
function yesCells(k: number, decide: (rng: Rng) => boolean): bigint {
  const saysYes = (cell: number): boolean =>
    decide(scripted([...Array<number>(k - 1).fill(0), cell])) === (k % 2 === 0);
  let [low, high] = [-1, last];
  if (saysYes(last)) return 1n << 53n;
  while (high - low > 1) {
    const middle = low + Math.floor((high - low) / 2);
    if (saysYes(middle)) low = middle;
    else high = middle;
  }
  return BigInt(low + 1);
}

describe('bernoulliExp', () => {
  test('its k-th coin comes up with probability a / (b k) exactly: Algorithm 1', () => {
    const positive = ratio.filter(([a]) => a > 0);
    fc.assert(
      fc.property(positive, fc.integer({ min: 1, max: 6 }), ([a, b], k) => {
        const cells = (BigInt(a) << 53n) / (BigInt(b) * BigInt(k));
        const found = yesCells(k, (rng) => bernoulliExp(rng, a, b));
        // Further digits 0 make the cell that the fraction divides say yes; exactness within it is tested above.
        const divided = cells * BigInt(b) * BigInt(k) < BigInt(a) << 53n;
        expect(found).toBe(divided ? cells + 1n : cells);
      }),
      { numRuns: 200 },
    );
  });

  test('such coins make exp(-x): the first failure is the k-th with odd k', () => {
    for (const [a, b] of [
      [0, 1],
      [1, 7],
      [2, 3],
      [1, 1],
    ] as const) {
      let reached = 1;
      let total = 0;
      for (let k = 1; k < 30; k++) {
        const coin = a === 0 ? 0 : Number(yesCells(k, (rng) => bernoulliExp(rng, a, b))) / 2 ** 53;
        const outcome = bernoulliExp(scripted([...Array<number>(k - 1).fill(0), last]), a, b);
        if (outcome) total += reached * (1 - coin);
        reached *= coin;
      }
      expect(total).toBeCloseTo(Math.exp(-a / b), 14);
    }
  });
});

describe('bernoulliExpNear', () => {
  const fractionOf = (numerator: bigint, denominator: bigint, error: number): NearFraction => ({
    value: Number(numerator) / Number(denominator),
    error,
    exact: () => ({ numerator, denominator }),
  });

  test('decides the same whether float64 settles it or the exact fraction must', () => {
    const cells = fc.array(fc.integer({ min: 0, max: last }), { minLength: 1, maxLength: 12 });
    const outcomes = new Set<string>();
    fc.assert(
      fc.property(fc.nat(4000), fc.integer({ min: 1, max: 1000 }), cells, (a, b, given) => {
        const [numerator, denominator] = [BigInt(a), BigInt(b)];
        const settled = bernoulliExpNear(
          scripted(given),
          fractionOf(numerator, denominator, 2 ** -50 * (1 + a / b)),
        );
        const inDoubt = bernoulliExpNear(scripted(given), fractionOf(numerator, denominator, 1e6));
        expect(settled).toBe(inDoubt);
        outcomes.add(`${settled} ${a >= b}`);
      }),
      { numRuns: 3000 },
    );
    expect(outcomes.size).toBe(4);
  });

  test('looks at the exact fraction only where there is doubt', () => {
    const refusing = (value: number): NearFraction => ({
      value,
      error: 1e-9,
      exact: () => {
        throw new Error('asked');
      },
    });
    const half = 2 ** 52;
    expect(bernoulliExpNear(scripted([half + 2 ** 25]), refusing(0.5))).toBe(true);
    expect(() => bernoulliExpNear(scripted([half]), refusing(0.5))).toThrow('asked');
    expect(() => bernoulliExpNear(scripted([0]), refusing(1))).toThrow('asked');
  });

  test('agrees with bernoulliExp below 1, and is a product of such coins above', () => {
    const third = yesCells(2, (rng) => bernoulliExpNear(rng, fractionOf(1n, 3n, 0)));
    expect(third).toBe(yesCells(2, (rng) => bernoulliExp(rng, 1, 3)));
    // exp(-2): both unit coins say yes at once when their second coin fails, being 1 / 2; then x - 2 = 0 says yes.
    expect(bernoulliExpNear(scripted([0, 0, 0, last, 0, 0, 0, last]), fractionOf(2n, 1n, 0))).toBe(false);
    expect(bernoulliExpNear(scripted([0, 0, last, 0, 0, last]), fractionOf(2n, 1n, 0))).toBe(true);
  });
});
