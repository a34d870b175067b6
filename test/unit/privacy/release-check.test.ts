import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gridStep } from '../../../shared/privacy/grid.ts';
import { drawNoise, type NoiseVector, release } from '../../../shared/privacy/noise.ts';
import { checkRelease, type ExpectedRelease } from '../../../shared/privacy/noise-check.ts';
import type { SummedUpdate } from '../../../shared/privacy/update.ts';
import { ClipNorm } from '../../../shared/units.ts';
import {
  clipNorms,
  implausible,
  layouts,
  multipliers,
  options,
  samplers,
  seeded,
  tampered,
  total,
} from './drawn-noise.ts';

// A false alarm has a probability below 1e-12 in each check; streams are seeded or the data adversarial.

const rounded = (value: number): number => Math.round(value * 2 ** 53) / 2 ** 53;

describe('checkRelease', () => {
  const expectedOf = (
    z: number,
    c: number,
    tensors: readonly number[],
    maxDrawnUsers: number,
  ): ExpectedRelease => ({
    ...options(z, c),
    tensors,
    maxDrawnUsers,
  });
  const released = (sum: Float64Array, noise: NoiseVector): Int32Array => {
    const { clipNorm, noiseMultiplier } = noise;
    return release(sum as SummedUpdate, noise, { clipNorm, noiseMultiplier });
  };

  test('never refuses a sound release, whatever the data: sums of any direction and shape up to n C', () => {
    const directions = fc.array(
      // No denormals: the sum below could not be made as long as it says.
      fc.oneof(fc.constantFrom(0, 1, -1, 1e-30), fc.double({ min: -1, max: 1, noNaN: true }).map(rounded)),
      {
        minLength: 1,
        maxLength: 20,
      },
    );
    fc.assert(
      fc.property(
        layouts,
        multipliers,
        clipNorms,
        fc.tuple(samplers, directions, fc.nat(5000)),
        (tensors, z, c, rest) => {
          const [sampler, direction, users] = rest;
          const numParams = total(tensors);
          const shape = Float64Array.from({ length: numParams }, (_, i) => direction[i % direction.length]!);
          const norm = Math.hypot(...shape);
          const sum = shape.map((value) => (norm === 0 ? 0 : (value / norm) * users * c));
          const update = released(sum, drawNoise(seeded(10), numParams, { ...options(z, c), sampler }));
          const check = checkRelease(update, expectedOf(z, c, tensors, users));
          expect(check.tests.at(-1)).toMatchObject({ size: numParams, atMost: Infinity });
          expect(check.norm).toBeLessThanOrEqual(check.maxNorm);
        },
      ),
      { numRuns: 300 },
    );
  });

  test('nor data that oppose typical noise: a constant, the negative of other noise, all of it in one coordinate', () => {
    const [z, c, tensors] = [1, 2, [500, 30, 200]];
    const numParams = total(tensors);
    const step = gridStep(ClipNorm.parse(c), numParams);
    const other = drawNoise(seeded(11), numParams, options(z, c));
    const sums = [
      new Float64Array(numParams).fill(-0.03),
      Float64Array.from(other, (value) => -value * step),
      Float64Array.from({ length: numParams }, (_, index) => (index === 7 ? 40 : 0)),
    ];
    for (const [index, sum] of sums.entries()) {
      const noise = drawNoise(seeded(12 + index), numParams, options(z, c));
      expect(() => checkRelease(released(sum, noise), expectedOf(z, c, tensors, 100))).not.toThrow();
    }
  });

  test('nor a saturated one, where int32 has cut the noise', () => {
    const noise = drawNoise(seeded(13), 64, options(1e9));
    expect(() =>
      checkRelease(released(new Float64Array(64), noise), expectedOf(1e9, 1, [64], 1)),
    ).not.toThrow();
    const loud = released(new Float64Array(64).fill(1e6), drawNoise(seeded(14), 64, options(1)));
    expect(checkRelease(loud, expectedOf(1, 1, [64], 1e8)).tests[0]?.found).toBe(Infinity);
  });

  describe('finds faults while few users are drawn: z = 1, 20 users, 4000 numbers', () => {
    const tensors = [3000, 8, 40, 952];
    const numParams = 4000;
    const expected = expectedOf(1, 0.5, tensors, 20);
    const noise = drawNoise(seeded(15), numParams, options(1, 0.5));
    const sum = Float64Array.from(
      { length: numParams },
      (_, i) => (20 * 0.5 * Math.sin(i)) / Math.sqrt(numParams),
    );

    test.each<[string, RegExp, (value: number, index: number) => number]>([
      ['forgotten noise', /tensor 0 /, () => 0],
      ['half the noise', /tensor 0 /, (value) => value / 2],
      ['sigma squared for sigma: z C = 0.5', /tensor 0 /, (value) => 0.5 * value],
      ['noise in the first tensor only', /tensors 1 to 2 /, (value, index) => (index < 3000 ? value : 0)],
      [
        'noise in all but a small tensor',
        /tensors 1 to 2 /,
        (value, index) => (index >= 3000 && index < 3048 ? 0 : value),
      ],
      ['far too much noise', /norm .* stays below/, (value) => 3 * value],
    ])('%s', (_, message, change) => {
      expect(() => checkRelease(released(sum, noise), expected)).not.toThrow();
      const update = released(sum, tampered(noise, change));
      expect(() => checkRelease(update, expected)).toThrow(implausible);
      expect(() => checkRelease(update, expected)).toThrow(message);
    });

    test('users beyond the clip norm, when their sum is longer than all declared users could make it', () => {
      const unclipped = sum.map((value) => 15 * value);
      expect(() => checkRelease(released(unclipped, noise), expected)).toThrow(/norm .* at most 20 users/);
    });
  });

  test('the limit: aligned users hide missing noise from n / sqrt(d) = z on, and never below 0.8 z', () => {
    const [z, numParams] = [1.5, 4000];
    const silent = tampered(drawNoise(seeded(16), numParams, options(z)), () => 0);
    const refused = (users: number): boolean => {
      const sum = new Float64Array(numParams).fill(users / Math.sqrt(numParams));
      try {
        checkRelease(released(sum, silent), expectedOf(z, 1, [numParams], users));
        return false;
      } catch {
        return true;
      }
    };
    for (const ratio of [0, 0.1, 0.5, 0.8]) expect(refused(ratio * z * Math.sqrt(numParams))).toBe(true);
    for (const ratio of [1.1, 2, 20]) expect(refused(ratio * z * Math.sqrt(numParams))).toBe(false);
  });

  test('refuses a layout of another length', () => {
    expect(() => checkRelease(new Int32Array(10), expectedOf(1, 1, [4, 5], 1))).toThrow(RangeError);
  });
});
