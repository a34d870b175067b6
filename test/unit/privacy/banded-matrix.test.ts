import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  BandedMatrix,
  bandedSquareRoot,
  inverseCoefficients,
  maxParticipationsOf,
  noiseFactorOfRound,
  squareRootMatrix,
} from '../../../shared/privacy/banded-matrix.ts';
import { matrixSensitivity } from '../../../shared/privacy/banded-sensitivity.ts';
import { coefficients, dense, smallMatrices, vectors } from './banded-samples.ts';

const relative = (value: number, expected: number): number => Math.abs(value / expected - 1);

describe('the square root of prefix sums', () => {
  test('is binom(2k, k) / 4^k, as jax-privacy has it', () => {
    expect(vectors.squareRoot).toHaveLength(40);
    for (const [k, value] of bandedSquareRoot(40).entries())
      expect(relative(value, vectors.squareRoot[k]!)).toBeLessThan(1e-14);
    expect(bandedSquareRoot(4)).toEqual([1, 1 / 2, 3 / 8, 5 / 16]);
    expect(bandedSquareRoot(1)).toEqual([1]);
  });

  test('times itself is all ones', () => {
    const root = bandedSquareRoot(300);
    for (const n of [0, 1, 7, 299]) {
      const product = root.slice(0, n + 1).reduce((sum, value, k) => sum + value * root[n - k]!, 0);
      expect(product).toBeCloseTo(1, 12);
    }
  });
});

describe('squareRootMatrix', () => {
  test('has as many bands as the separation allows, and never more than rounds', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.integer({ min: 1, max: 60 }),
        (rounds, minSeparation) => {
          const matrix = squareRootMatrix({ rounds, minSeparation });
          expect(matrix.coefficients).toHaveLength(Math.min(rounds, minSeparation));
          expect(matrix.maxParticipations).toBe(maxParticipationsOf(rounds, minSeparation));
        },
      ),
    );
    expect(squareRootMatrix({ rounds: 50, minSeparation: 10, bands: 3 })).toEqual({
      coefficients: [1, 0.5, 0.375],
      rounds: 50,
      minSeparation: 10,
      maxParticipations: 5,
    });
  });

  test('counts participations: every minSeparation rounds from any round on', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 60 }), (rounds, separation) => {
        const counts = Array.from({ length: separation }, (_, group) => {
          let count = 0;
          for (let round = group; round < rounds; round += separation) count += 1;
          return count;
        });
        expect(maxParticipationsOf(rounds, separation)).toBe(Math.max(...counts));
      }),
    );
  });
});

test.each([
  ['a diagonal of zero', { coefficients: [0, 0] }],
  ['coefficients that rise', { coefficients: [1, 0.2, 0.3] }],
  ['a second coefficient above the diagonal', { coefficients: [1, 1.01] }],
  ['a negative coefficient', { coefficients: [1, -0.1] }],
  ['no coefficient', { coefficients: [] }],
  ['more bands than the separation', { coefficients: [1, 1, 1, 1] }],
  ['no rounds', { rounds: 0 }],
  ['no separation', { minSeparation: 0 }],
  ['half a participation', { maxParticipations: 0.5 }],
  ['a key that nobody knows', { bands: 2 }],
])('a matrix with %s is refused', (_what, change) => {
  const matrix = { coefficients: [1, 0.5, 0.5], rounds: 9, minSeparation: 3, maxParticipations: 3 };
  expect(BandedMatrix.safeParse(matrix).success).toBe(true);
  expect(BandedMatrix.safeParse({ ...matrix, ...change }).success).toBe(false);
});

describe('the inverse', () => {
  test('times C is the identity', () => {
    fc.assert(
      fc.property(smallMatrices, (matrix) => {
        const inverse = inverseCoefficients(matrix, matrix.rounds);
        for (const [index, row] of dense(matrix).entries()) {
          const product = row.reduce((sum, value, j) => sum + value * inverse[j]!, 0);
          expect(product).toBeCloseTo(index === 0 ? 1 : 0, 10);
        }
      }),
    );
  });

  test('agrees with jax-privacy', () => {
    const inverse = inverseCoefficients({ coefficients: bandedSquareRoot(5) }, 30);
    for (const [k, value] of inverse.entries())
      expect(Math.abs(value - vectors.inverseOfSquareRootOf5Bands[k]!)).toBeLessThan(1e-14);
  });

  test('stays within 1 / c_0, and its prefix sums between 0 and 1 / c_0, over a thousand rounds', () => {
    fc.assert(
      fc.property(coefficients, (column) => {
        const scaled = inverseCoefficients({ coefficients: column }, 1000).map((value) => value * column[0]!);
        let sum = 0;
        const sums = scaled.map((value) => (sum += value));
        const largest = (values: Float64Array): number => values.reduce((a, b) => Math.max(a, b));
        expect(largest(scaled.map(Math.abs))).toBeLessThanOrEqual(1 + 1e-9);
        expect(largest(sums)).toBeLessThanOrEqual(1 + 1e-9);
        expect(largest(sums.map((value) => -value))).toBeLessThanOrEqual(1e-9);
      }),
      { numRuns: 50 },
    );
  });

  test('its rows are what one release holds: 1 without correlation, at most sqrt(round + 1) / c_0 with it', () => {
    const independent = squareRootMatrix({ rounds: 20, minSeparation: 4, bands: 1 });
    const correlated = squareRootMatrix({ rounds: 20, minSeparation: 4 });
    expect([0, 1, 19].map((round) => noiseFactorOfRound(independent, round))).toEqual([1, 1, 1]);
    expect(noiseFactorOfRound(correlated, 0)).toBe(1);
    expect(noiseFactorOfRound(correlated, 1)).toBeCloseTo(Math.hypot(1, 0.5), 15);
    fc.assert(
      fc.property(smallMatrices, fc.integer({ min: 0, max: 40 }), (matrix, round) => {
        const factor = noiseFactorOfRound(matrix, round) * matrix.coefficients[0]!;
        expect(factor).toBeGreaterThanOrEqual(1 - 1e-12);
        expect(factor).toBeLessThanOrEqual(Math.sqrt(round + 1) * (1 + 1e-9));
      }),
    );
  });
});

/** Mean over rounds of the squared error of prefix sums, for noise of standard deviation 1 before correlation. */
function meanSquaredError(matrix: BandedMatrix): number {
  let [prefix, squares, total] = [0, 0, 0];
  for (const value of inverseCoefficients(matrix, matrix.rounds)) {
    prefix += value;
    squares += prefix ** 2;
    total += squares;
  }
  return total / matrix.rounds;
}

/** The same at equal epsilon: for standard deviation 1 over sensitivity. */
const errorOf = (matrix: BandedMatrix): number => meanSquaredError(matrix) * matrixSensitivity(matrix) ** 2;

/**
 * The same for tree aggregation, restarted when users come back: a prefix sum holds the noise of one node for each binary
 * one of its length, and a user touches one node on each of ceil(log2(length + 1)) levels in each of her epochs.
 */
function treeError(rounds: number, minSeparation: number): number {
  const epoch = Math.min(rounds, minSeparation);
  const levels = Math.ceil(Math.log2(epoch + 1));
  let total = 0;
  for (let round = 1; round <= rounds; round++) {
    const wholeEpochs = Math.floor((round - 1) / epoch);
    const within = round - wholeEpochs * epoch;
    total += wholeEpochs * onesOf(epoch) + onesOf(within);
  }
  return (total / rounds) * levels * maxParticipationsOf(rounds, epoch);
}

const onesOf = (n: number): number => n.toString(2).replaceAll('0', '').length;

describe('the error of prefix sums', () => {
  test('agrees with jax-privacy, and is within 10 % of the best banded Toeplitz matrix', () => {
    expect(vectors.errors).toHaveLength(6);
    for (const row of vectors.errors) {
      const matrix = squareRootMatrix({ rounds: row.rounds, minSeparation: row.rounds, bands: row.bands });
      expect(relative(meanSquaredError(matrix), row.meanSquaredError)).toBeLessThan(1e-10);
      expect(relative(errorOf(matrix), row.timesSensitivitySquared)).toBeLessThan(1e-10);
      expect(errorOf(matrix)).toBeLessThan(1.1 * row.optimisedTimesSensitivitySquared);
      expect(errorOf(matrix)).toBeGreaterThan(row.optimisedTimesSensitivitySquared);
    }
  });

  // Rounds, separation, then the error over that of independent noise and over that of binary trees (docs/banded-noise.md).
  test.each([
    [50, 10, 0.221, 0.247],
    [50, 50, 0.182, 0.284],
    [200, 20, 0.107, 0.193],
    [1000, 50, 0.044, 0.117],
    [1000, 1000, 0.019, 0.195],
  ])('%d rounds, separation %d: below independent noise and tree aggregation at equal epsilon', (...row) => {
    const [rounds, minSeparation, ofIndependent, ofTree] = row;
    const correlated = errorOf(squareRootMatrix({ rounds, minSeparation }));
    const independent = errorOf(squareRootMatrix({ rounds, minSeparation, bands: 1 }));
    expect(independent).toBeCloseTo((maxParticipationsOf(rounds, minSeparation) * (rounds + 1)) / 2, 8);
    expect(correlated / independent).toBeCloseTo(ofIndependent, 3);
    expect(correlated / treeError(rounds, minSeparation)).toBeCloseTo(ofTree, 3);
  });

  test('falls with every doubling of the bands, up to the separation', () => {
    for (const rounds of [40, 160])
      for (const minSeparation of [4, 16]) {
        const errors = [1, 2, 4].map((bands) => errorOf(squareRootMatrix({ rounds, minSeparation, bands })));
        expect(errors).toEqual(errors.toSorted((a, b) => b - a));
      }
  });
});
