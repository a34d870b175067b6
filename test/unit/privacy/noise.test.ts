import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { gridStep, sensitivitySlack, toGrid } from '../../../shared/privacy/grid.ts';
import {
  drawNoise,
  gridStdDev,
  noiseStdDev,
  release,
  releaseWithoutNoise,
} from '../../../shared/privacy/noise.ts';
import type { SummedUpdate } from '../../../shared/privacy/update.ts';
import { discreteGaussians } from '../../../shared/random/discrete-gaussian.ts';
import { standardNormals } from '../../../shared/random/gaussian.ts';
import { type Rng, secureRng, seededRng } from '../../../shared/random/rng.ts';
import { ClipNorm, NoiseMultiplier, Seed } from '../../../shared/units.ts';

const seeded = (seed: number): Rng => seededRng(Seed.parse(seed));
const summed = (...values: number[]): SummedUpdate => Float64Array.from(values) as SummedUpdate;
const options = (z: number, c: number): Parameters<typeof release>[2] => ({
  noiseMultiplier: NoiseMultiplier.parse(z),
  clipNorm: ClipNorm.parse(c),
});
const multipliers = fc.double({ min: 0.01, max: 50, noNaN: true });
const norms = fc.double({ min: 1e-3, max: 1e3, noNaN: true });

test('noiseStdDev is z * C', () => {
  expect(noiseStdDev(NoiseMultiplier.parse(0.7), ClipNorm.parse(3))).toBeCloseTo(2.1, 15);
});

test('gridStdDev is that in grid units, enlarged by the slack', () => {
  fc.assert(
    fc.property(multipliers, norms, fc.integer({ min: 1, max: 1e7 }), (z, c, numParams) => {
      const { clipNorm, noiseMultiplier } = options(z, c);
      const inUnits = gridStdDev({ clipNorm, noiseMultiplier }, numParams) * gridStep(clipNorm, numParams);
      const ratio = inUnits / noiseStdDev(noiseMultiplier, clipNorm);
      expect(ratio).toBeCloseTo(1 + sensitivitySlack(numParams), 12);
    }),
  );
});

describe('drawNoise', () => {
  test('remembers what it was drawn for, and by which sampler: the rounded Gaussian unless another is asked for', () => {
    const drawn = drawNoise(seeded(3), 4, options(1.3, 2));
    expect(drawn).toMatchObject({ clipNorm: 2, noiseMultiplier: 1.3, sampler: 'rounded-gaussian' });
    const exact = drawNoise(seeded(3), 4, { ...options(1.3, 2), sampler: 'discrete-gaussian' });
    expect(exact).toMatchObject({ clipNorm: 2, noiseMultiplier: 1.3, sampler: 'discrete-gaussian' });
  });

  test('the discrete Gaussian has the same standard deviation in grid units', () => {
    fc.assert(
      fc.property(multipliers, norms, fc.integer({ min: 1, max: 50 }), (z, c, numParams) => {
        const settings = { ...options(z, c), sampler: 'discrete-gaussian' as const };
        const stdDev = gridStdDev(settings, numParams);
        expect([...drawNoise(seeded(3), numParams, settings)]).toEqual([
          ...discreteGaussians(seeded(3), numParams, stdDev),
        ]);
      }),
    );
  });

  test('the discrete Gaussian refuses what is beyond its range', () => {
    const settings = { ...options(1e9, 1), sampler: 'discrete-gaussian' as const };
    expect(() => drawNoise(seeded(3), 4, settings)).toThrow(RangeError);
  });

  test('is a standard normal times z * C * (1 + slack) / g, rounded', () => {
    fc.assert(
      fc.property(multipliers, norms, fc.integer({ min: 1, max: 300 }), (z, c, numParams) => {
        const noise = drawNoise(seeded(3), numParams, options(z, c));
        const clipNorm = ClipNorm.parse(c);
        const gridStdDev = (z * c * (1 + sensitivitySlack(numParams))) / gridStep(clipNorm, numParams);
        const normals = standardNormals(seeded(3), numParams);
        for (const [index, value] of noise.entries()) {
          expect(Number.isInteger(value)).toBe(true);
          expect(Math.abs(value - normals[index]! * gridStdDev)).toBeLessThanOrEqual(0.5 + 1e-6);
        }
      }),
    );
  });

  test('two draws from one stream, and from two secure streams, differ', () => {
    const rng = seeded(3);
    const draws = [rng, rng, secureRng(), secureRng()].map((each) =>
      drawNoise(each, 8, options(1.3, 2)).join(),
    );
    expect(new Set(draws).size).toBe(4);
  });
});

describe('release', () => {
  test('is the grid sum plus the noise, in exact integers', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: -20, max: 20, noNaN: true }), { minLength: 1, maxLength: 50 }),
        fc.double({ min: 0.01, max: 5, noNaN: true }),
        norms,
        (values, z, c) => {
          const settings = options(z, c);
          const sum = summed(...values.map((value) => value * c));
          const noise = drawNoise(seeded(9), sum.length, settings);
          const grid = toGrid(sum, gridStep(settings.clipNorm, sum.length));
          const expected = [...grid].map((value, index) => value + noise[index]! + 0);
          expect([...release(sum, noise, settings)]).toEqual(expected);
        },
      ),
    );
  });

  test('leaves the sum and the noise as they were, so a release can be computed again', () => {
    const settings = options(1.3, 2);
    const sum = summed(1, -2, 3);
    const noise = drawNoise(seeded(9), 3, settings);
    expect(release(sum, noise, settings)).toEqual(release(sum, noise, settings));
    expect([...sum]).toEqual([1, -2, 3]);
  });

  test('is the same whichever sampler drew the noise', () => {
    const settings = options(1.3, 2);
    const exact = drawNoise(seeded(9), 3, { ...settings, sampler: 'discrete-gaussian' });
    const update = release(summed(1, -2, 3), exact, settings);
    const grid = toGrid(summed(1, -2, 3), gridStep(settings.clipNorm, 3));
    expect([...update]).toEqual([...grid].map((value, index) => value + exact[index]!));
  });

  test('an empty draw still carries noise', () => {
    const settings = options(1.3, 2);
    const noise = drawNoise(seeded(9), 6, settings);
    const update = release(summed(0, 0, 0, 0, 0, 0), noise, settings);
    expect([...update]).toEqual([...noise]);
  });

  test('saturates to int32 on both sides', () => {
    const settings = options(1e9, 1);
    const update = release(
      summed(...Array<number>(100).fill(0)),
      drawNoise(seeded(2), 100, settings),
      settings,
    );
    expect(new Set(update)).toEqual(new Set([-(2 ** 31), 2 ** 31 - 1]));
    const small = options(0.01, 1);
    const huge = release(summed(1e6, -1e6, 0), drawNoise(seeded(2), 3, small), small);
    expect([...huge.subarray(0, 2)]).toEqual([2 ** 31 - 1, -(2 ** 31)]);
  });

  test('refuses noise that was drawn for something else: the event would be untrue', () => {
    const settings = options(1.3, 2);
    const noise = drawNoise(seeded(9), 3, settings);
    expect(() => release(summed(1, 2), noise, settings)).toThrow(RangeError);
    expect(() => release(summed(1, 2, 3), noise, options(2.6, 2))).toThrow(RangeError);
    expect(() => release(summed(1, 2, 3), noise, options(1.3, 4))).toThrow(RangeError);
  });

  test('refuses a sum that is not finite only where nothing is promised', () => {
    const settings = options(1.3, 2);
    const noise = drawNoise(seeded(9), 2, settings);
    expect(release(summed(1, NaN), noise, settings)).toEqual(release(summed(1, 0), noise, settings));
    expect(() => releaseWithoutNoise(summed(1, NaN), 0.5)).toThrow(
      expect.objectContaining({ code: 'NON_FINITE' }),
    );
  });
});

test('adding rounded noise to an integer is rounding the sum with continuous noise', () => {
  const integers = fc.integer({ min: -(2 ** 31), max: 2 ** 31 });
  fc.assert(
    fc.property(integers, fc.integer({ min: -(2 ** 40), max: 2 ** 40 }), (x, units) => {
      const noise = units / 2 ** 10;
      expect(x + Math.round(noise) === Math.round(x + noise)).toBe(true);
    }),
    { numRuns: 2000 },
  );
});

test('releaseWithoutNoise is the saturated grid sum', () => {
  const update = releaseWithoutNoise(summed(0.26, -1, 1e12, -1e12), 0.5);
  expect([...update]).toEqual([1, -2, 2 ** 31 - 1, -(2 ** 31)]);
});
