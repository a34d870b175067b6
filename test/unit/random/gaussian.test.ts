import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openUniform, standardNormals } from '../../../shared/random/gaussian.ts';
import { type Rng, seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';

const seeded = (seed: number): Rng => seededRng(Seed.parse(seed));

/** A stream whose uniform numbers are given, then 0.25 for ever. */
function scripted(...uniforms: number[]): Rng {
  const left = [...uniforms];
  return { ...seeded(1), uniform: () => left.shift() ?? 0.25 };
}

describe('standardNormals', () => {
  test('is Box and Muller: radius sqrt(-2 ln u), angle 2 pi v', () => {
    const [x = 0, y = 0] = standardNormals(scripted(Math.exp(-2), 1 / 6), 2);
    expect(x).toBeCloseTo(2 * 0.5, 14);
    expect(y).toBeCloseTo(2 * Math.sqrt(0.75), 14);
  });

  test('gives as many as asked for; a shorter request is the beginning of a longer one', () => {
    fc.assert(
      fc.property(fc.nat(200), fc.nat(200), (a, b) => {
        const short = standardNormals(seeded(2), Math.min(a, b));
        const long = standardNormals(seeded(2), Math.max(a, b));
        expect([...short]).toEqual([...long.subarray(0, short.length)]);
      }),
    );
  });

  test('the tail goes on beyond 8.57 standard deviations, where 53 bits would end it', () => {
    const [x = 0] = standardNormals(scripted(0, 0, 0.5, 0), 1);
    expect(x).toBeCloseTo(Math.sqrt(2 * 65 * Math.LN2), 12);
    expect(x).toBeGreaterThan(9.4);
  });

  test('near the end of 53 bits the radius is finely spaced, not one of a few values', () => {
    const [a = 0] = standardNormals(scripted(2 ** -53, 0.75, 0), 1);
    const [b = 0] = standardNormals(scripted(3 * 2 ** -53, 0.75 + 2 ** -20, 0), 1);
    expect(a).toBeGreaterThan(6.6);
    expect(Math.abs(a - b)).toBeLessThan(1e-6);
  });
});

describe('openUniform', () => {
  test('is never 0 and never 1, and takes one number unless it is under 2^-32', () => {
    expect(openUniform(scripted(1 - 2 ** -53))).toBe(1 - 2 ** -53);
    expect(openUniform(scripted(2 ** -32))).toBe(2 ** -32);
    expect(openUniform(scripted(2 ** -32 - 2 ** -53, 0.5))).toBe(2 ** -33);
    expect(openUniform(scripted(0, 0, 0, 2 ** -31))).toBe(2 ** -127);
  });
});
