import { describe, expect, test } from 'vitest';
import { drawNoise, gridStdDev, release } from '../../shared/privacy/noise.ts';
import type { SummedUpdate } from '../../shared/privacy/update.ts';
import { standardNormals } from '../../shared/random/gaussian.ts';
import { type Rng, seededRng } from '../../shared/random/rng.ts';
import { tailStart } from '../../shared/random/ziggurat.ts';
import { normalCdf } from '../../shared/stats/special.ts';
import { ClipNorm, NoiseMultiplier, Seed } from '../../shared/units.ts';
import { chiSquarePValue, kolmogorovPValue, normalPValue, pearsonPValue } from './p-values.ts';

// Streams are seeded, so every outcome repeats. Each p-value must exceed 1e-4, the false-alarm probability of its test over
// seeds; there are 32 of them, so a change of the stream fails one with probability 0.0032 at most.

const alarm = 1e-4;
const numParams = 3478;
const numReleases = 2876;
const count = numParams * numReleases;

interface Sample {
  /** How often each integer from -range to range came up. */
  readonly histogram: Int32Array;
  readonly range: number;
  readonly stdDev: number;
  /** Sums of products of neighbours, of their squares less the variance, and of first with last numbers of releases. */
  readonly neighbours: number;
  readonly sizes: number;
  readonly acrossReleases: number;
}

/** Ten million numbers of 2876 releases, each from a stream of its own. */
function sampleOf(z: number, seed: number): Sample {
  const options = { noiseMultiplier: NoiseMultiplier.parse(z), clipNorm: ClipNorm.parse(0.7) };
  const stdDev = gridStdDev(options, numParams);
  const range = Math.ceil(8 * stdDev);
  const histogram = new Int32Array(2 * range + 1);
  const rng = seededRng(Seed.parse(seed));
  let [neighbours, sizes, acrossReleases] = [0, 0, 0];
  let before: Float64Array = new Float64Array(numParams);
  for (let each = 0; each < numReleases; each++) {
    const noise = drawNoise(rng.fork(`release ${each}`), numParams, options);
    let last = 0;
    noise.forEach((value, index) => {
      histogram[range + value]! += 1;
      neighbours += last * value;
      sizes += (last * last - stdDev ** 2) * (value * value - stdDev ** 2);
      acrossReleases += value * before[index]!;
      last = value;
    });
    before = noise;
  }
  return { histogram, range, stdDev, neighbours, sizes, acrossReleases };
}

interface Fit {
  readonly kolmogorov: number;
  readonly chiSquare: number;
}

/**
 * P-values of Kolmogorov and Smirnov, with F(k + 1/2) exact at every integer k, and of Pearson over 1001 cells of nearly
 * equal probability; for a law whose standard deviation is `factor` times the promised one.
 */
function fit({ histogram, range, stdDev }: Sample, factor = 1): Fit {
  const cells = 1001;
  const observed = new Float64Array(cells);
  const expected = new Float64Array(cells);
  let [below, largest, last] = [0, 0, 0];
  for (const [index, seen] of histogram.entries()) {
    const upTo = normalCdf((index - range + 0.5) / (stdDev * factor));
    below += seen;
    largest = Math.max(largest, Math.abs(below / count - upTo));
    const cell = Math.min(cells - 1, Math.floor(upTo * cells));
    observed[cell]! += seen;
    expected[cell]! += (upTo - last) * count;
    last = upTo;
  }
  expected[cells - 1]! += (1 - last) * count;
  const statistic = observed.reduce(
    (sum, seen, cell) => sum + (seen - expected[cell]!) ** 2 / expected[cell]!,
    0,
  );
  return {
    kolmogorov: kolmogorovPValue(largest * Math.sqrt(count)),
    chiSquare: chiSquarePValue(statistic, cells - 1),
  };
}

function beyond({ histogram, range, stdDev }: Sample, deviations: number): number {
  const least = Math.ceil(deviations * stdDev);
  return histogram.reduce((sum, seen, index) => sum + (Math.abs(index - range) >= least ? seen : 0), 0);
}

describe.each([
  [0.31, 102],
  [1, 101],
  [2.2, 103],
])('ten million numbers of rounded Gaussian noise, z = %d', (z, seed) => {
  const sample = sampleOf(z, seed);
  const { histogram, range, stdDev } = sample;
  const moment = (power: number): number =>
    histogram.reduce((sum, seen, index) => sum + seen * ((index - range) / stdDev) ** power, 0) / count;

  test('follow the law: Kolmogorov-Smirnov, and chi-square with 1000 degrees of freedom', () => {
    const { kolmogorov, chiSquare } = fit(sample);
    expect(kolmogorov).toBeGreaterThan(alarm);
    expect(chiSquare).toBeGreaterThan(alarm);
  });

  test('the tests can fail: 0.5 % less noise is noticed', () => {
    const { kolmogorov, chiSquare } = fit(sample, 1.005);
    expect(kolmogorov).toBeLessThan(alarm);
    expect(chiSquare).toBeLessThan(alarm);
  });

  test('have mean 0, standard deviation z * C * (1 + slack) / g, no skewness, and kurtosis 3', () => {
    expect(normalPValue(moment(1) * Math.sqrt(count))).toBeGreaterThan(alarm);
    expect(normalPValue((moment(2) - 1) * Math.sqrt(count / 2))).toBeGreaterThan(alarm);
    expect(normalPValue(moment(3) * Math.sqrt(count / 15))).toBeGreaterThan(alarm);
    expect(normalPValue((moment(4) - 3) * Math.sqrt(count / 96))).toBeGreaterThan(alarm);
  });

  test('are independent: neighbours (lag 1) in sign and in size, and the same parameter in successive releases', () => {
    const products = Math.sqrt(count) * stdDev ** 2;
    expect(normalPValue(sample.neighbours / products)).toBeGreaterThan(alarm);
    expect(normalPValue(sample.sizes / (2 * products * stdDev ** 2))).toBeGreaterThan(alarm);
    expect(normalPValue(sample.acrossReleases / products)).toBeGreaterThan(alarm);
  });

  test('go beyond 4 and 5 standard deviations as often as they should', () => {
    const due = (deviations: number): number => 2 * count * normalCdf(-deviations);
    expect(normalPValue((beyond(sample, 4) - due(4)) / Math.sqrt(due(4)))).toBeGreaterThan(alarm);
    // 5.7 are due beyond 5: 20 or more have probability 3e-6; none at all 3e-3, so the tail itself is tested below.
    expect(beyond(sample, 5)).toBeLessThan(20);
    expect(beyond(sample, 8)).toBe(0);
  });
});

describe('the tail beyond r by itself, a million numbers of it', () => {
  /** Words that choose layer 0, positive, at its far end, so that every number comes from the tail. */
  function tailOnly(rng: Rng): Rng {
    let words = 0;
    return { ...rng, ahead: () => new Uint32Array(0), uint32: () => (words++ % 2 === 0 ? 0 : 2 ** 32 - 1) };
  }
  const numbers = standardNormals(tailOnly(seededRng(Seed.parse(104))), 1_000_000);

  test('follows the normal law given that r is exceeded, out to 6.3 standard deviations', () => {
    const edges = Array.from({ length: 301 }, (_, cell) => tailStart + cell / 100);
    const observed = Array<number>(edges.length).fill(0);
    for (const value of numbers) observed[Math.min(300, Math.floor((value - tailStart) * 100))]! += 1;
    const above = edges.map((edge) => normalCdf(-edge) / normalCdf(-tailStart));
    const expected = above.map((share, cell) => numbers.length * (share - (above[cell + 1] ?? 0)));
    expect(pearsonPValue(observed, expected)).toBeGreaterThan(alarm);
    expect(Math.max(...numbers.subarray(0, 100_000))).toBeGreaterThan(5.8);
    expect(numbers.every((value) => value >= tailStart)).toBe(true);
  });
});

test('two releases share nothing: their noise is uncorrelated, at every lag up to 50', () => {
  const rng = seededRng(Seed.parse(105));
  const [first, second] = ['round 0', 'round 1'].map((label) => standardNormals(rng.fork(label), 200_000));
  const worst = Array.from({ length: 101 }, (_, index) => {
    const lag = index - 50;
    return Math.abs(first!.reduce((sum, value, at) => sum + value * (second![at + lag] ?? 0), 0));
  });
  // 101 lags: each p-value above 1e-6.
  expect(normalPValue(Math.max(...worst) / Math.sqrt(200_000))).toBeGreaterThan(1e-6);
});

test('what leaves the site holds the noise: an empty sum released has its standard deviation', () => {
  const options = { noiseMultiplier: NoiseMultiplier.parse(0.8), clipNorm: ClipNorm.parse(2) };
  const size = 200_000;
  const sum = new Float64Array(size) as SummedUpdate;
  const noise = drawNoise(seededRng(Seed.parse(106)), size, options);
  const update = release(sum, noise, options);
  const meanSquare = update.reduce((total, value) => total + value * value, 0) / size;
  const ratio = meanSquare / gridStdDev(options, size) ** 2;
  expect(normalPValue((ratio - 1) * Math.sqrt(size / 2))).toBeGreaterThan(alarm);
});
