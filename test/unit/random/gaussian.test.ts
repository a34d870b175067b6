import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { standardNormals } from '../../../shared/random/gaussian.ts';
import { type Rng, seededRng } from '../../../shared/random/rng.ts';
import { halfNormal, tailStart, ziggurat } from '../../../shared/random/ziggurat.ts';
import { Seed } from '../../../shared/units.ts';
import vectors from '../../vectors/noise.json' with { type: 'json' };

const seeded = (seed: number): Rng => seededRng(Seed.parse(seed));
const { widths, heights } = ziggurat();
const signBit = 256;

/** A stream whose words and uniform numbers are given; an unforeseen draw fails. */
function scripted(words: readonly number[], uniforms: readonly number[] = []): Rng & { left: () => number } {
  const [wordsLeft, uniformsLeft] = [[...words], [...uniforms]];
  const next = (values: number[]): number => {
    const value = values.shift();
    if (value === undefined) throw new Error('more was drawn than the test foresaw');
    return value;
  };
  return {
    ...seeded(1),
    ahead: () => new Uint32Array(0),
    uint32: () => next(wordsLeft),
    uniform: () => next(uniformsLeft),
    left: () => wordsLeft.length + uniformsLeft.length,
  };
}

/** The number made of a script that must be used up. */
function normalFrom(words: readonly number[], uniforms: readonly number[] = []): number {
  const rng = scripted(words, uniforms);
  const [value = NaN] = standardNormals(rng, 1);
  expect(rng.left()).toBe(0);
  return value;
}

describe('ziggurat', () => {
  test('has the widths that high precision gives', () => {
    for (const [layer, width] of Object.entries(vectors.zigguratWidths))
      expect(Math.abs(widths[Number(layer)]! - width)).toBeLessThan(2e-14 * width);
    expect(tailStart).toBe(vectors.zigguratWidths[1]);
  });

  test('every layer has the same area, the lowest with its tail', () => {
    for (let layer = 1; layer < 256; layer++)
      expect(widths[layer]! * (heights[layer + 1]! - heights[layer]!)).toBeCloseTo(vectors.zigguratArea, 15);
    expect(widths[0]! * heights[1]!).toBeCloseTo(vectors.zigguratArea, 16);
  });

  test('narrows from the tail to the peak, where it is closed', () => {
    expect(widths).toHaveLength(257);
    for (let layer = 0; layer < 256; layer++) expect(widths[layer]).toBeGreaterThan(widths[layer + 1]!);
    expect([widths[256], heights[256]]).toEqual([0, 1]);
  });
});

describe('standardNormals', () => {
  test('gives as many as asked for; a shorter request is the beginning of a longer one', () => {
    fc.assert(
      fc.property(fc.nat(400), fc.nat(400), (a, b) => {
        const short = standardNormals(seeded(2), Math.min(a, b));
        const long = standardNormals(seeded(2), Math.max(a, b));
        expect([...short]).toEqual([...long.subarray(0, short.length)]);
      }),
    );
  });

  test('within a layer: eight bits choose it, one the sign, 53 others the size', () => {
    const layerAndWords = fc.tuple(
      fc.integer({ min: 0, max: 254 }),
      fc.nat(2 ** 23 - 1),
      fc.nat(2 ** 32 - 1),
    );
    fc.assert(
      fc.property(layerAndWords, ([layer, top, high]) => {
        const bits = high * 2 ** 21 + (top >>> 2);
        const size = (bits / 2 ** 53) * widths[layer]!;
        fc.pre(size < widths[layer + 1]! * (1 - 1e-15));
        const low = top * 512 + layer;
        expect(normalFrom([low, high])).toBeCloseTo(size, 14);
        expect(normalFrom([low + signBit, high])).toBe(-normalFrom([low, high]));
      }),
      { numRuns: 1000 },
    );
  });

  test('no bit of layer or sign is a bit of the size', () => {
    // 1000 in the high word is deep inside every layer but the topmost, which is all wedge.
    const expected = (1000 * 2 ** 21 + 0x48d00) / 2 ** 53;
    for (let layer = 0; layer < 255; layer++) {
      const low = 0x48d00 * 2 ** 11 + layer;
      expect(normalFrom([low, 1000]) / widths[layer]!).toBeCloseTo(expected, 20);
      expect(normalFrom([low + signBit, 1000]) / widths[layer]!).toBeCloseTo(-expected, 20);
    }
  });

  test('outside the layer above, a uniform height under f keeps the number', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 255 }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (layer, share) => {
          const size = widths[layer + 1]! + (0.01 + 0.98 * share) * (widths[layer]! - widths[layer + 1]!);
          const high = Math.floor((size / widths[layer]!) * 2 ** 32);
          const x = (high / 2 ** 32) * widths[layer]!;
          const edge = (halfNormal(x) - heights[layer]!) / (heights[layer + 1]! - heights[layer]!);
          expect(normalFrom([layer, high], [edge - 1e-10])).toBeCloseTo(x, 14);
          expect(normalFrom([layer + signBit, high], [edge - 1e-10])).toBeCloseTo(-x, 14);
          // Refused: all is drawn afresh, the layer too.
          expect(normalFrom([layer, high, 7, 2 ** 31], [edge + 1e-10])).toBeCloseTo(0.5 * widths[7]!, 14);
        },
      ),
    );
  });

  test('beyond r the tail is exponential, thinned: r - ln u / r, kept while -2 ln v > (ln u / r)^2', () => {
    const beyond = (u: number): number => -Math.log(u) / tailStart;
    const kept = (u: number): number => Math.exp(-0.5 * beyond(u) ** 2);
    const high = 2 ** 32 - 1;
    for (const u of [0.9, 0.5, 1e-3, 1e-9]) {
      expect(normalFrom([0, high], [u, 0, 0.999 * kept(u), 0])).toBeCloseTo(tailStart + beyond(u), 12);
      expect(normalFrom([signBit, high], [u, 0, 0.999 * kept(u), 0])).toBeCloseTo(-tailStart - beyond(u), 12);
      const refusedOnce = [u, 0, 1.001 * kept(u), 0, 0.25, 0, 0.25, 0];
      expect(normalFrom([0, high], refusedOnce)).toBeCloseTo(tailStart + beyond(0.25), 12);
    }
  });

  test('the tail reaches 15.7 standard deviations, and its values stay finely spaced', () => {
    const high = 2 ** 32 - 1;
    const u = Math.exp(-tailStart * 12.1);
    const farthest = normalFrom([0, high], [0, u * 2 ** 53, 0, 2 ** -53]);
    expect(farthest).toBeGreaterThan(15.7);
    const near = normalFrom([0, high], [2 ** -53, 0.5, 0, 2 ** -53]);
    const next = normalFrom([0, high], [2 ** -53, 0.5 + 2 ** -30, 0, 2 ** -53]);
    expect(near).toBeGreaterThan(13);
    expect(near - next).toBeGreaterThan(0);
    expect(near - next).toBeLessThan(1e-8);
  });

  test('refuses a height of nothing at all: ln 0 is no tail', () => {
    const high = 2 ** 32 - 1;
    expect(normalFrom([0, high], [0, 0, 0.5, 0, 0.25, 0, 0.25, 0])).toBeLessThan(6);
  });
});
