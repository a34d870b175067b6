import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { discreteGaussians, discreteLaplace } from '../../../shared/random/discrete-gaussian.ts';
import { type Rng, secureRng, seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';

const seeded = (seed: number): Rng => seededRng(Seed.parse(seed));
const last = 1 - 2 ** -53;

/** A stream whose uniform numbers are given, then the largest of all; its words are given, then 2^31 (not negative is below). */
function scripted(uniforms: readonly number[], words: readonly number[] = []): Rng {
  const [uniformsLeft, wordsLeft] = [[...uniforms], [...words]];
  return { ...seeded(1), uniform: () => uniformsLeft.shift() ?? last, uint32: () => wordsLeft.shift() ?? 0 };
}

describe('discreteLaplace', () => {
  // A unit coin exp(-1) of Algorithm 1 says yes after (0, 0, last), when its third coin fails, and no after (0, last).
  const [yes, no] = [
    [0, 0, last],
    [0, last],
  ];

  test('is rest + t times the number of unit coins that say yes, with a sign', () => {
    expect(discreteLaplace(scripted([0.5, last, ...no]), 10)).toBe(5);
    expect(discreteLaplace(scripted([0.5, last, ...yes, ...yes, ...no]), 10)).toBe(25);
    expect(discreteLaplace(scripted([0.5, last, ...yes, ...no], [2 ** 31]), 10)).toBe(-15);
  });

  test('refuses a rest whose coin says no, and minus zero', () => {
    // The rest 9 of 10: coin 9 / 10 says yes at 0, then 9 / 20 says no, so that k = 2.
    expect(discreteLaplace(scripted([0.95, 0, last, 0.25, last, ...no]), 10)).toBe(2);
    expect(discreteLaplace(scripted([0.05, last, ...no, 0.35, last, ...no], [2 ** 31, 0]), 10)).toBe(3);
    expect(discreteLaplace(scripted([0.05, last, ...no]), 10)).toBe(0);
  });
});

describe('discreteGaussians', () => {
  const stdDevs = fc.oneof(
    fc.constantFrom(2 ** -20, 2 ** 40, 0.5, 0.75, 1, 2, 17.3, 65_536.3),
    fc.double({ min: 2 ** -20, max: 2 ** 40, noNaN: true }),
  );

  test('gives as many integers as asked for, none of them -0, within 40 standard deviations', () => {
    fc.assert(
      fc.property(stdDevs, fc.nat(40), (stdDev, count) => {
        const values = discreteGaussians(secureRng(), count, stdDev);
        expect(values).toHaveLength(count);
        for (const value of values) {
          expect(Number.isSafeInteger(value) && !Object.is(value, -0)).toBe(true);
          expect(Math.abs(value)).toBeLessThanOrEqual(40 * stdDev);
        }
      }),
    );
  });

  test('repeats with the seed', () => {
    const draw = (seed: number): string => discreteGaussians(seeded(seed), 20, 1234.5).join();
    expect(draw(5)).toBe(draw(5));
    expect(draw(5)).not.toBe(draw(6));
  });

  test('a standard deviation so small that nothing but 0 is likely', () => {
    expect([...discreteGaussians(seeded(3), 5, 2 ** -20)]).toEqual([0, 0, 0, 0, 0]);
  });

  test.each([0, -1, NaN, Infinity, 2 ** -21, 2 ** 41])('refuses a standard deviation of %d', (stdDev) => {
    expect(() => discreteGaussians(seeded(1), 1, stdDev)).toThrow(RangeError);
  });
});
