import { describe, expect, test } from 'vitest';
import { gridStep, sensitivitySlack } from '../../shared/privacy/grid.ts';
import { drawNoise, release } from '../../shared/privacy/noise.ts';
import type { SummedUpdate } from '../../shared/privacy/update.ts';
import { standardNormals } from '../../shared/random/gaussian.ts';
import { seededRng } from '../../shared/random/rng.ts';
import { ClipNorm, NoiseMultiplier, SamplingRate, Seed } from '../../shared/units.ts';

// Streams are seeded, so every outcome repeats; each test's false-alarm probability over seeds is at most 1e-6.

const count = 200_000;
const sqrtTwoPi = Math.sqrt(2 * Math.PI);

/** Normal distribution function by its power series, to about 1e-15 for |x| < 6. */
function normalCdf(x: number): number {
  let term = x;
  let sum = x;
  for (let k = 1; k < 120; k++) {
    term *= (x * x) / (2 * k + 1);
    sum += term;
  }
  return 0.5 + (sum * Math.exp((-x * x) / 2)) / sqrtTwoPi;
}

const clamped = (x: number): number => normalCdf(Math.max(-6, Math.min(6, x)));

/** Kolmogorov's sup |F_n - F| sqrt(n); exceeds 2.7 with probability 2 exp(-2 * 2.7^2) = 9.3e-7. */
function kolmogorov(values: Float64Array): number {
  const sorted = values.toSorted();
  const gaps = sorted.map((value, index) => {
    const cdf = clamped(value);
    return Math.max((index + 1) / sorted.length - cdf, cdf - index / sorted.length);
  });
  return gaps.reduce((a, b) => Math.max(a, b), 0) * Math.sqrt(sorted.length);
}

/** Pearson's statistic over `cells` equally likely cells of the normal law. */
function chiSquare(values: Float64Array, cells: number): number {
  const observed = new Float64Array(cells);
  for (const value of values) observed[Math.min(cells - 1, Math.floor(clamped(value) * cells))]! += 1;
  const expected = values.length / cells;
  return observed.reduce((sum, seen) => sum + (seen - expected) ** 2 / expected, 0);
}

const mean = (values: Float64Array): number => values.reduce((a, b) => a + b, 0) / values.length;

/** Five standard deviations: two-sided probability 5.7e-7. */
const fiveSigma = 5;

describe('standardNormals', () => {
  const normals = standardNormals(seededRng(Seed.parse(101)), count);

  test('follows the normal law: Kolmogorov-Smirnov, and chi-square with 39 degrees of freedom', () => {
    expect(kolmogorov(normals)).toBeLessThan(2.7);
    // 96.13 is exceeded with probability 1e-6.
    expect(chiSquare(normals, 40)).toBeLessThan(96.13);
  });

  test('mean, standard deviation and kurtosis', () => {
    expect(Math.abs(mean(normals))).toBeLessThan(fiveSigma / Math.sqrt(count));
    expect(Math.abs(mean(normals.map((x) => x ** 2)) - 1)).toBeLessThan(fiveSigma * Math.sqrt(2 / count));
    expect(Math.abs(mean(normals.map((x) => x ** 4)) - 3)).toBeLessThan(fiveSigma * Math.sqrt(96 / count));
  });

  test('neighbours are independent, in sign and in size', () => {
    const products = normals.map((x, index) => x * (normals[index + 1] ?? 0));
    const sizes = normals.map((x, index) => (x ** 2 - 1) * ((normals[index + 1] ?? 1) ** 2 - 1));
    expect(Math.abs(mean(products))).toBeLessThan(fiveSigma / Math.sqrt(count));
    expect(Math.abs(mean(sizes))).toBeLessThan((fiveSigma * 2) / Math.sqrt(count));
  });
});

describe.each([
  [0.31, 2.7, 102],
  [0.7, 0.04, 103],
  [4.2, 11, 104],
])('released noise, z = %d, C = %d', (z, c, seed) => {
  const options = { noiseMultiplier: NoiseMultiplier.parse(z), clipNorm: ClipNorm.parse(c) };
  const noise = drawNoise(seededRng(Seed.parse(seed)), count, options);
  const sum = new Float64Array(count) as SummedUpdate;
  const { update } = release(sum, noise, { ...options, samplingRate: SamplingRate.parse(1) });
  const step = gridStep(options.clipNorm, count);
  const inUnits = Float64Array.from(
    update,
    (units) => (units * step) / (z * c * (1 + sensitivitySlack(count))),
  );

  test('is normal with standard deviation z * C * (1 + slack)', () => {
    expect(kolmogorov(inUnits)).toBeLessThan(2.7);
    expect(chiSquare(inUnits, 40)).toBeLessThan(96.13);
    expect(Math.abs(mean(inUnits.map((x) => x ** 2)) - 1)).toBeLessThan(fiveSigma * Math.sqrt(2 / count));
  });

  test('the test can fail: 3 % less noise is noticed', () => {
    const less = inUnits.map((x) => 0.97 * x);
    expect(Math.abs(mean(less.map((x) => x ** 2)) - 1)).toBeGreaterThan(fiveSigma * Math.sqrt(2 / count));
    expect(chiSquare(less, 40)).toBeGreaterThan(96.13);
  });
});
