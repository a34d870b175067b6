import { describe, expect, test } from 'vitest';
import { gridStdDev } from '../../shared/privacy/noise.ts';
import { discreteGaussians, discreteLaplace } from '../../shared/random/discrete-gaussian.ts';
import { bernoulliExp, bernoulliExpNear } from '../../shared/random/exact.ts';
import { seededRng } from '../../shared/random/rng.ts';
import { normalCdf } from '../../shared/stats/special.ts';
import { ClipNorm, NoiseMultiplier, Seed } from '../../shared/units.ts';
import vectors from '../vectors/noise.json' with { type: 'json' };
import { chiSquarePValue, normalPValue, pearsonPValue } from './p-values.ts';

// Streams are seeded, so every outcome repeats. Each p-value must exceed 1e-4, the false-alarm probability of its test over
// seeds; there are 22 of them, so a change of the stream fails one with probability 0.0022 at most.

const alarm = 1e-4;
const stream = (seed: number): ReturnType<typeof seededRng> => seededRng(Seed.parse(seed));

/** Probabilities of -reach .. reach under the discrete Gaussian law, from its definition. */
function discreteGaussianLaw(stdDev: number, reach: number): number[] {
  const weights = Array.from({ length: 2 * reach + 1 }, (_, i) =>
    Math.exp(-((i - reach) ** 2) / (2 * stdDev ** 2)),
  );
  const total = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / total);
}

function counts(values: Iterable<number>, reach: number): number[] {
  const observed = Array<number>(2 * reach + 1).fill(0);
  for (const value of values) observed[value + reach]! += 1;
  return observed;
}

test('the law that the tests compare with is that of high precision', () => {
  for (const { stdDev, values, probabilities } of vectors.discreteGaussian) {
    const law = discreteGaussianLaw(stdDev, 200);
    for (const [index, value] of values.entries())
      expect(law[200 + value]! / probabilities[index]!).toBeCloseTo(1, 12);
  }
});

describe.each([
  [0.3, 301],
  [0.5, 302],
  [0.75, 303],
  [1, 304],
  [2, 305],
  [3.999, 306],
  [17.3, 307],
  [250.5, 308],
])('half a million discrete Gaussian numbers, sigma = %d', (stdDev, seed) => {
  const size = 500_000;
  const reach = Math.ceil(12 * stdDev) + 2;
  const observed = counts(discreteGaussians(stream(seed), size, stdDev), reach);

  test('follow the law: chi-square over single integers', () => {
    const law = discreteGaussianLaw(stdDev, reach);
    const expected = law.map((probability) => probability * size);
    expect(pearsonPValue(observed, expected)).toBeGreaterThan(alarm);
  });

  test('the test can fail: 2 % more noise in the law is noticed', () => {
    const other = discreteGaussianLaw(stdDev * 1.02, reach);
    const expected = other.map((probability) => probability * size);
    expect(pearsonPValue(observed, expected)).toBeLessThan(alarm);
  });
});

describe.each([
  [0.6, 3000, 311],
  [3, 1_000_000, 312],
])('on the grid of a release, z = %d and %d numbers', (z, numParams, seed) => {
  const options = { noiseMultiplier: NoiseMultiplier.parse(z), clipNorm: ClipNorm.parse(1) };
  const stdDev = gridStdDev(options, numParams);
  const size = 1_000_000;
  const values = discreteGaussians(stream(seed), size, stdDev);

  test('is normal in 1001 cells, the last digits are uniform, and neighbours are uncorrelated', () => {
    const cells = new Float64Array(1001);
    const digits = new Float64Array(101);
    for (const value of values) {
      cells[Math.min(1000, Math.floor(normalCdf(value / stdDev) * 1001))]! += 1;
      digits[((value % 101) + 101) % 101]! += 1;
    }
    for (const observed of [cells, digits]) {
      const due = size / observed.length;
      const statistic = observed.reduce((sum, seen) => sum + (seen - due) ** 2 / due, 0);
      expect(chiSquarePValue(statistic, observed.length - 1)).toBeGreaterThan(alarm);
    }
    const products = values.reduce((sum, value, index) => sum + value * (values[index + 1] ?? 0), 0);
    expect(normalPValue(products / (stdDev ** 2 * Math.sqrt(size)))).toBeGreaterThan(alarm);
  });
});

describe('its parts', () => {
  const size = 400_000;
  const expectShare = (yes: number, probability: number): void => {
    const spread = Math.sqrt(size * probability * (1 - probability));
    expect(normalPValue((yes - size * probability) / spread)).toBeGreaterThan(alarm);
  };

  test.each([
    [1, 7, 321],
    [2, 3, 322],
    [1, 1, 323],
  ])('bernoulliExp says yes with probability exp(-%d / %d)', (a, b, seed) => {
    const rng = stream(seed);
    let yes = 0;
    for (let i = 0; i < size; i++) yes += Number(bernoulliExp(rng, a, b));
    expectShare(yes, Math.exp(-a / b));
  });

  test.each([
    [5n, 3n, 1e-15, 324],
    [5n, 3n, 1e9, 325],
  ])('bernoulliExpNear says yes with probability exp(-%d / %d), settled or in doubt', (a, b, error, seed) => {
    const rng = stream(seed);
    const x = { value: Number(a) / Number(b), error, exact: () => ({ numerator: a, denominator: b }) };
    let yes = 0;
    for (let i = 0; i < size; i++) yes += Number(bernoulliExpNear(rng, x));
    expectShare(yes, Math.exp(-Number(a) / Number(b)));
  });

  test.each([
    [1, 326],
    [2, 327],
    [9, 328],
  ])('discreteLaplace(%d) follows exp(-|x| / t) (e^(1/t) - 1) / (e^(1/t) + 1)', (t, seed) => {
    const rng = stream(seed);
    const reach = 60 * t;
    const observed = counts(
      Array.from({ length: size }, () => discreteLaplace(rng, t)),
      reach,
    );
    const peak = Math.expm1(1 / t) / (Math.exp(1 / t) + 1);
    const expected = observed.map((_, index) => size * peak * Math.exp(-Math.abs(index - reach) / t));
    expect(pearsonPValue(observed, expected)).toBeGreaterThan(alarm);
  });
});
