import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clipUpdate, l2Norm } from '../../../shared/privacy/clip.ts';
import type { RawUpdate } from '../../../shared/privacy/update.ts';
import { standardNormals } from '../../../shared/random/gaussian.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { type ClipNorm, Seed } from '../../../shared/units.ts';

const raw = (...values: number[]): RawUpdate => Float32Array.from(values) as RawUpdate;
// Wider than the schema's: this function's law holds for all of them.
const norm = (value: number): ClipNorm => value as ClipNorm;
const coordinates = fc.oneof(
  fc.float({ noDefaultInfinity: true, noNaN: true }),
  fc.constantFrom(0, -0, 1e30, -1e30, 1e-45, -1e-45, 1e-39, 3.4e38, 1, -1),
);
const clipNorms = fc.oneof(
  fc.double({ min: 1e-3, max: 1e3, noNaN: true }),
  fc.double({ min: 5e-324, max: 1e39, noNaN: true }),
);

describe('clipUpdate', () => {
  test('never above C, never longer or turned, untouched within C: finite updates of every size', () => {
    fc.assert(
      fc.property(fc.array(coordinates, { maxLength: 40 }), clipNorms, (values, c) => {
        const update = raw(...values);
        const clipped = clipUpdate(update, norm(c));
        expect(clipped.finite).toBe(true);
        expect(clipped.norm).toBe(l2Norm(update));
        expect(l2Norm(clipped.update)).toBeLessThanOrEqual(c);
        if (clipped.norm <= c) expect(clipped.update).toBe(update);
        for (const [index, value] of clipped.update.entries()) {
          expect(Math.abs(value)).toBeLessThanOrEqual(Math.abs(update[index]!));
          expect(value * update[index]!).toBeGreaterThanOrEqual(0);
        }
      }),
      { numRuns: 1000 },
    );
  });

  test('a clipped update of ordinary size has norm C to float32 precision, along the same direction', () => {
    const rng = seededRng(Seed.parse(11));
    for (let trial = 0; trial < 1000; trial++) {
      const update = raw(...standardNormals(rng, 50));
      const c = 0.01 + rng.uniform();
      const clipped = clipUpdate(update, norm(c)).update;
      expect(l2Norm(clipped)).toBeLessThanOrEqual(c);
      expect(l2Norm(clipped)).toBeGreaterThan(c * (1 - 1e-6));
      const inner = clipped.reduce((sum, value, index) => sum + value * update[index]!, 0);
      expect(inner / l2Norm(clipped) / l2Norm(update)).toBeCloseTo(1, 6);
    }
  });

  test('clips jointly and exactly where float32 can hold the result', () => {
    expect([...clipUpdate(raw(6, 8), norm(5)).update]).toEqual([3, 4]);
    expect([...clipUpdate(raw(3, 4), norm(5)).update]).toEqual([3, 4]);
    expect([...clipUpdate(raw(3, 4), norm(2.5)).update]).toEqual([1.5, 2]);
  });

  test.each([[NaN], [Infinity], [-Infinity]])('an update holding %d becomes zero', (bad) => {
    for (const c of [norm(1), norm(1e30), 'unbounded'] as const) {
      const clipped = clipUpdate(raw(1, bad, 3e38), c);
      expect([...clipped.update]).toEqual([0, 0, 0]);
      expect(clipped).toMatchObject({ norm: 0, finite: false });
    }
  });

  test('zero, -0, empty, denormal and huge updates', () => {
    expect([...clipUpdate(raw(0, -0), norm(1)).update]).toEqual([0, -0]);
    expect(clipUpdate(raw(), norm(1))).toMatchObject({ norm: 0, finite: true });
    expect([...clipUpdate(raw(1e-45), norm(1)).update]).toEqual([Math.fround(1e-45)]);
    expect([...clipUpdate(raw(1e-45), norm(1e-46)).update]).toEqual([0]);
    expect([...clipUpdate(raw(1e30), norm(1)).update]).toEqual([1]);
    expect([...clipUpdate(raw(-1e30, 0), norm(0.5)).update]).toEqual([-0.5, 0]);
  });

  test('unbounded leaves any finite update alone', () => {
    const update = raw(1e30, -2);
    expect(clipUpdate(update, 'unbounded')).toEqual({ update, norm: Math.fround(1e30), finite: true });
  });
});

/** Sum of squares in units of 2^-298, exactly: float32 numbers are integers times 2^-149. */
function exactSumOfSquares(vector: Float32Array): bigint {
  let sum = 0n;
  for (const value of vector) {
    const units = BigInt(value * 2 ** 149);
    sum += units * units;
  }
  return sum;
}

/** A float64 number of at least 2^-149 * 2^53 is an integer in units of 2^-298, exactly. */
const inUnits = (value: number): bigint => BigInt(value * 2 ** 149) * 2n ** 149n;

describe('the exact norm, in integers, after clipping', () => {
  /** ||update|| <= C (1 + d 2^-53), the share by which float64 may misjudge a norm; for d = 1, where nothing adds up, <= C. */
  function expectWithin(update: Float32Array, c: number): void {
    const share = update.length > 1 ? BigInt(update.length) : 0n;
    const limit = inUnits(c) * (2n ** 53n + share);
    const norm = exactSumOfSquares(update) * 2n ** 298n * 2n ** 106n;
    expect(norm <= limit * limit).toBe(true);
  }

  const adversaries: Record<string, (index: number) => number> = {
    'all alike': () => 0.1,
    'largest float32': () => 3.4028234663852886e38,
    'smallest float32': () => 2 ** -149,
    'falling by a factor 2, so that the small ones are lost beside the large': (i) => 2 ** -(i % 140),
    'one coordinate and dust': (i) => (i === 7 ? 1e30 : 1e-30),
    'alternating extremes': (i) => (i % 2 === 0 ? 3e38 : -1e-45),
    'just above a power of two': (i) => (i % 2 === 0 ? 1 : -1) * (1 + 2 ** -23),
    'squares just beside the spacing of their sum': (i) => (i === 0 ? 2 ** 26 : 1 + 2 ** -20),
  };

  test.each(Object.keys(adversaries))('%s: one to a thousand coordinates, any clip norm', (name) => {
    for (const length of [1, 2, 33, 1000]) {
      const update = Float32Array.from({ length }, (_, index) => adversaries[name]!(index)) as RawUpdate;
      const own = l2Norm(update);
      for (const c of [1, 0.3, 1e-20, 1e30, own, own * (1 - 2 ** -53), own / 3]) {
        const clipped = clipUpdate(update, norm(c)).update;
        expect(l2Norm(clipped)).toBeLessThanOrEqual(c);
        if (c > 2 ** -96) expectWithin(clipped, c);
      }
    }
  });

  test('a million coordinates', () => {
    for (const name of [
      'all alike',
      'one coordinate and dust',
      'squares just beside the spacing of their sum',
    ]) {
      const update = Float32Array.from({ length: 1_000_000 }, (_, index) =>
        adversaries[name]!(index),
      ) as RawUpdate;
      const c = l2Norm(update) / 3;
      const clipped = clipUpdate(update, norm(c)).update;
      expect(l2Norm(clipped)).toBeLessThanOrEqual(c);
      expectWithin(clipped, c);
    }
  });

  test('any float32 numbers, however mixed', () => {
    const wide = fc.oneof(
      coordinates,
      fc.integer({ min: -149, max: 127 }).map((exponent) => 2 ** exponent),
    );
    fc.assert(
      fc.property(
        fc.array(wide, { minLength: 1, maxLength: 60 }),
        fc.double({ min: 1e-20, max: 1e38, noNaN: true }),
        (values, c) => {
          expectWithin(clipUpdate(raw(...values), norm(c)).update, c);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('l2Norm', () => {
  test('does not overflow or underflow where float32 would', () => {
    expect(l2Norm(Float32Array.of(3e38, 3e38))).toBeCloseTo(Math.fround(3e38) * Math.SQRT2, -25);
    expect(l2Norm(Float32Array.of(1e-45))).toBe(Math.fround(1e-45));
    expect(l2Norm(new Float32Array(1_000_000).fill(0.1))).toBeCloseTo(1000 * Math.fround(0.1), 8);
    expect(l2Norm(new Float32Array())).toBe(0);
  });
});
