import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Rng, secureRng, seededRng } from '../../../shared/random/rng.ts';
import {
  fairCoin,
  openUniform,
  poissonSample,
  shuffled,
  uniformBelow,
} from '../../../shared/random/sample.ts';
import { SamplingRate, Seed } from '../../../shared/units.ts';

const seeded = (seed: number): Rng => seededRng(Seed.parse(seed));
const rate = (q: number): SamplingRate => SamplingRate.parse(q);
const seeds = fc.integer({ min: 1, max: 2 ** 31 });

/** A stream that counts the words taken from it. */
function counted(rng: Rng): { rng: Rng; uniforms: () => number } {
  let uniforms = 0;
  const uniform = (): number => {
    uniforms++;
    return rng.uniform();
  };
  return { rng: { ...rng, uniform }, uniforms: () => uniforms };
}

/** A stream whose words are given, then 0 for ever. */
function scripted(...given: number[]): Rng {
  const left = [...given];
  return { ...seeded(1), uint32: () => left.shift() ?? 0 };
}

describe('poissonSample', () => {
  test('gives distinct indices of the population, ascending', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.nat(3000),
        fc.double({ min: 1e-12, max: 1, noNaN: true }),
        (seed, population, q) => {
          const drawn = [...poissonSample(seeded(seed), population, rate(q))];
          expect(drawn.every((index, i) => index > (drawn[i - 1] ?? -1) && index < population)).toBe(true);
        },
      ),
    );
  });

  test('rate 1 gives everybody, an empty population nobody, a tiny rate next to never anybody', () => {
    expect([...poissonSample(secureRng(), 4, rate(1))]).toEqual([0, 1, 2, 3]);
    expect(poissonSample(secureRng(), 0, rate(1))).toHaveLength(0);
    expect(poissonSample(secureRng(), 0, rate(0.5))).toHaveLength(0);
    expect(poissonSample(secureRng(), 2 ** 31 - 1, rate(5e-324))).toHaveLength(0);
    expect(poissonSample(secureRng(), 1000, rate(1 - 2 ** -53))).toHaveLength(1000);
  });

  test('a draw does not depend on how many users come after', () => {
    const few = poissonSample(seeded(4), 500, rate(0.1));
    const many = poissonSample(seeded(4), 5000, rate(0.1));
    expect([...few]).toEqual([...many].filter((index) => index < 500));
  });

  test('a gap of k means (1 - q)^(k + 1) < u <= (1 - q)^k', () => {
    const drawAt = (u: number): number | undefined =>
      poissonSample({ ...seeded(1), uniform: () => u }, 10, rate(0.25)).at(0);
    expect(drawAt(0.76)).toBe(0);
    expect(drawAt(0.74)).toBe(1);
    expect(drawAt(0.57)).toBe(1);
    expect(drawAt(0.56)).toBe(2);
    expect(drawAt(0.001)).toBeUndefined();
  });

  test('takes one number for each user drawn and one more, whatever the population', () => {
    const { rng, uniforms } = counted(seeded(5));
    const drawn = poissonSample(rng, 2 ** 31 - 1, rate(1e-7));
    expect(uniforms()).toBe(drawn.length + 1);
  });
});

describe('openUniform', () => {
  const from = (...uniforms: number[]): number =>
    openUniform({ ...seeded(1), uniform: () => uniforms.shift() ?? 0.25 });

  test('is never 0 and never 1, and takes one number unless it is under 2^-32', () => {
    expect(from(1 - 2 ** -53)).toBe(1 - 2 ** -53);
    expect(from(2 ** -32)).toBe(2 ** -32);
    expect(from(2 ** -32 - 2 ** -53, 0.5)).toBe(2 ** -33);
    expect(from(0, 0, 0, 2 ** -31)).toBe(2 ** -127);
  });
});

describe('uniformBelow', () => {
  test('stays below n and covers it', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 2 ** 32 }), (seed, n) => {
        const value = uniformBelow(seeded(seed), n);
        expect(Number.isInteger(value) && value >= 0 && value < n).toBe(true);
      }),
    );
    const rng = seeded(6);
    expect(new Set(Array.from({ length: 200 }, () => uniformBelow(rng, 5)))).toEqual(
      new Set([0, 1, 2, 3, 4]),
    );
  });

  test('rejects the words of the incomplete last cycle', () => {
    expect(uniformBelow(scripted(2 ** 32 - 1, 7), 10)).toBe(7);
    expect(uniformBelow(scripted(2 ** 32 - 6, 7), 10)).toBe(7);
    expect(uniformBelow(scripted(2 ** 32 - 7, 7), 10)).toBe(9);
    expect(uniformBelow(scripted(2 ** 32 - 1), 2 ** 32)).toBe(2 ** 32 - 1);
  });

  test.each([0, -1, 1.5, NaN, 2 ** 32 + 1])('refuses n = %d', (n) => {
    expect(() => uniformBelow(seeded(1), n)).toThrow(RangeError);
  });
});

describe('shuffled', () => {
  test('is a permutation, and repeats', () => {
    fc.assert(
      fc.property(seeds, fc.nat(300), (seed, length) => {
        const order = shuffled(seeded(seed), length);
        expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length }, (_, index) => index));
        expect([...shuffled(seeded(seed), length)]).toEqual([...order]);
      }),
    );
  });
});

test('fairCoin is the top bit of a word', () => {
  expect([0, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1].map((word) => fairCoin(scripted(word)))).toEqual([
    false,
    false,
    true,
    true,
  ]);
});
