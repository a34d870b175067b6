import { describe, expect, test } from 'vitest';
import {
  inverseCoefficients,
  noiseFactorOfRound,
  squareRootMatrix,
} from '../../shared/privacy/banded-matrix.ts';
import { advance, bandedNoiseVector, newBandedNoise } from '../../shared/privacy/banded-noise.ts';
import { matrixSensitivity } from '../../shared/privacy/banded-sensitivity.ts';
import { gridStdDev, release } from '../../shared/privacy/noise.ts';
import type { SummedUpdate } from '../../shared/privacy/update.ts';
import { seededRng } from '../../shared/random/rng.ts';
import { normalCdf } from '../../shared/stats/special.ts';
import { ClipNorm, NoiseMultiplier, Seed } from '../../shared/units.ts';
import { uniformityPValue } from '../support/uniformity.ts';

// Streams are seeded, so every outcome repeats; each test's false-alarm probability over seeds is at most 1e-6.

const numParams = 20_000;
const rounds = 12;
const settings = { noiseMultiplier: NoiseMultiplier.parse(0.7), clipNorm: ClipNorm.parse(3) };
const matrix = squareRootMatrix({ rounds, minSeparation: 4 });
const stdDev = gridStdDev(settings, numParams);

/** What a site releases of an empty sum, round after round, over z * C * (1 + slack) / g: shape (rounds, numParams). */
function released(bands: number, seed: number): Float64Array[] {
  const rng = seededRng(Seed.parse(seed));
  let state = newBandedNoise(
    {
      matrix: squareRootMatrix({ rounds, minSeparation: 4, bands }),
      noiseMultiplier: NoiseMultiplier.parse(1),
      numParams,
    },
    rng,
  );
  return Array.from({ length: rounds }, (_, round) => {
    const next = advance(state, rng, round);
    const noise = bandedNoiseVector(next.row, settings);
    const update = release(new Float64Array(numParams) as SummedUpdate, noise, settings);
    ({ state } = next);
    return Float64Array.from(update, (units) => units / stdDev);
  });
}

const correlated = released(4, 201);
const independent = released(1, 202);

const inner = (a: Float64Array, b: Float64Array): number =>
  a.reduce((sum, value, i) => sum + value * b[i]!, 0);

/** Entry (s, t) of C^-1 C^-T. */
function expectedCovariance(s: number, t: number): number {
  const inverse = inverseCoefficients(matrix, rounds);
  let sum = 0;
  for (let k = 0; k <= Math.min(s, t); k++) sum += inverse[s - k]! * inverse[t - k]!;
  return sum;
}

/** Largest distance of a covariance over rounds from the expected one, in standard errors sqrt((S_ss S_tt + S_st^2) / n). */
function worstCovariance(rows: readonly Float64Array[]): number {
  let worst = 0;
  for (const [s, row] of rows.entries())
    for (const [t, other] of rows.slice(0, s + 1).entries()) {
      const [both, one, two] = [expectedCovariance(s, t), expectedCovariance(s, s), expectedCovariance(t, t)];
      const error = Math.abs(inner(row, other) / numParams - both);
      worst = Math.max(worst, error / Math.sqrt((one * two + both ** 2) / numParams));
    }
  return worst;
}

/** C times the rows: what was independent before. */
function whitened(rows: readonly Float64Array[]): Float64Array[] {
  return rows.map((row, round) =>
    row.map((_value, i) =>
      matrix.coefficients.reduce((sum, c, lag) => sum + c * (rows[round - lag]?.[i] ?? 0), 0),
    ),
  );
}

/** Of the Kolmogorov-Smirnov test against the standard normal law. */
const normalityPValue = (row: Float64Array): number => uniformityPValue(Array.from(row, normalCdf));

describe('correlated noise, as it is released', () => {
  // 78 covariances, each beyond 6 standard errors with probability 2e-9: 1.5e-7 together.
  test('has the covariance sigma^2 C^-1 C^-T over rounds', () => {
    expect(worstCovariance(correlated)).toBeLessThan(6);
    for (const [round, row] of correlated.entries()) {
      const squares = inner(row, row) / numParams / noiseFactorOfRound(matrix, round) ** 2;
      expect(Math.abs(squares - 1)).toBeLessThan(6 * Math.sqrt(2 / numParams));
    }
  });

  test('the test can fail: independent noise, and 5 % less noise, are noticed', () => {
    expect(worstCovariance(independent)).toBeGreaterThan(6);
    expect(worstCovariance(correlated.map((row) => row.map((value) => 0.95 * value)))).toBeGreaterThan(6);
  });

  test('times C is independent normal noise of standard deviation z * C * (1 + slack)', () => {
    const rows = whitened(correlated);
    for (const row of rows) expect(normalityPValue(row)).toBeGreaterThan(1e-8);
    // 66 pairs of rounds, each beyond 6 with probability 2e-9.
    for (const [s, row] of rows.entries())
      for (const other of rows.slice(0, s))
        expect(Math.abs(inner(row, other)) / Math.sqrt(numParams)).toBeLessThan(6);
  });

  test('the test can fail: the rows themselves are not', () => {
    for (const row of correlated.slice(1)) expect(normalityPValue(row)).toBeLessThan(1e-8);
  });

  test('disturbs prefix sums less than independent noise does at equal epsilon', () => {
    /** Mean over rounds and coordinates of squared prefix sums, for standard deviation 1 over sensitivity. */
    const errorOf = (rows: readonly Float64Array[], bands: number): number => {
      const sums = new Float64Array(numParams);
      let total = 0;
      for (const row of rows) {
        for (const [i, value] of row.entries()) sums[i]! += value;
        total += inner(sums, sums) / numParams / rounds;
      }
      return total * matrixSensitivity(squareRootMatrix({ rounds, minSeparation: 4, bands })) ** 2;
    };
    const [banded, plain] = [errorOf(correlated, 4), errorOf(independent, 1)];
    // Expected 3 participations * (rounds + 1) / 2; the standard error is below 1 %.
    expect(plain / 19.5).toBeGreaterThan(0.94);
    expect(plain / 19.5).toBeLessThan(1.06);
    expect(banded / plain).toBeLessThan(0.5);
  });
});
