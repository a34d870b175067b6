import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { interpreted } from '../../../shared/privacy/accounting/interpret.ts';
import {
  type BandedMatrix,
  bandedSquareRoot,
  squareRootMatrix,
} from '../../../shared/privacy/banded-matrix.ts';
import { matrixSensitivity } from '../../../shared/privacy/banded-sensitivity.ts';
import { normalCdf } from '../../../shared/stats/special.ts';
import { NoiseMultiplier } from '../../../shared/units.ts';
import { dense, smallMatrices, vectors } from './banded-samples.ts';

/** All sets of rounds that the matrix allows one user, by trying every round in turn. */
function patterns({ rounds, minSeparation, maxParticipations }: BandedMatrix): number[][] {
  const from = (first: number, left: number): number[][] =>
    left === 0 || first >= rounds
      ? [[]]
      : [...from(first + 1, left), ...from(first + minSeparation, left - 1).map((rest) => [first, ...rest])];
  return from(0, maxParticipations);
}

/**
 * The largest norm of C times a user's updates, tried in the worst directions: all alike, where columns that share rows add
 * up, and all orthogonal.
 */
function bruteForce(matrix: BandedMatrix): number {
  const rows = dense(matrix);
  const norms = patterns(matrix).map((pattern) => {
    const alike = Math.hypot(...rows.map((row) => pattern.reduce((sum, j) => sum + row[j]!, 0)));
    const orthogonal = Math.hypot(...pattern.flatMap((j) => rows.map((row) => row[j]!)));
    return Math.max(alike, orthogonal);
  });
  return Math.max(...norms);
}

const relative = (value: number, expected: number): number => value / expected - 1;

describe('matrixSensitivity', () => {
  test('is the largest over all patterns of participation, from above', () => {
    fc.assert(
      fc.property(smallMatrices, (matrix) => {
        const excess = relative(matrixSensitivity(matrix), bruteForce(matrix));
        expect(excess).toBeGreaterThan(-1e-15);
        expect(excess).toBeLessThan(1e-13);
      }),
      { numRuns: 500 },
    );
  });

  test('agrees with jax-privacy, which finds the pattern by dynamic programming', () => {
    expect(vectors.sensitivities).toHaveLength(96);
    for (const { sensitivity, ...matrix } of vectors.sensitivities)
      expect(Math.abs(relative(matrixSensitivity(matrix), sensitivity)), JSON.stringify(matrix)).toBeLessThan(
        1e-12,
      );
  });

  test('is never below the exact value, which integers give', () => {
    const integers = fc.array(fc.bigInt({ min: 0n, max: 2n ** 26n }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(integers, fc.integer({ min: 1, max: 1000 }), (others, participations) => {
        const column = [2n ** 26n, ...others];
        const squares = column.reduce((sum, value) => sum + value * value, 0n) * BigInt(participations);
        const minSeparation = column.length;
        const sensitivity = matrixSensitivity({
          coefficients: column.map(Number),
          rounds: participations * minSeparation,
          minSeparation,
          maxParticipations: participations,
        });
        // As integers: 2^20 times the sensitivity, squared, is at least 2^40 times the sum of squares.
        expect(BigInt(Math.ceil(sensitivity * 2 ** 20)) ** 2n >= squares * 2n ** 40n).toBe(true);
        expect(relative(sensitivity, Math.sqrt(Number(squares)))).toBeLessThan(1e-13);
      }),
    );
  });

  test('without correlation: the square root of the participations', () => {
    for (const [participations, rounds, minSeparation, expected] of [
      [1, 30, 1, 1],
      [9, 30, 1, 3],
      [100, 30, 1, Math.sqrt(30)],
      [9, 30, 7, Math.sqrt(5)],
    ] as const) {
      const matrix = { coefficients: [1], rounds, minSeparation, maxParticipations: participations };
      expect(matrixSensitivity(matrix)).toBeCloseTo(expected, 12);
    }
  });

  test('of one participation: the norm of the first column, cut off where the run is shorter', () => {
    const matrix = { coefficients: [4, 3, 2, 1], minSeparation: 9, maxParticipations: 1 };
    expect(matrixSensitivity({ ...matrix, rounds: 50 })).toBeCloseTo(Math.sqrt(30), 12);
    expect(matrixSensitivity({ ...matrix, rounds: 2 })).toBeCloseTo(5, 12);
    expect(matrixSensitivity({ ...matrix, rounds: 1 })).toBeCloseTo(4, 12);
  });

  test('never falls with participations, rounds or more bands, never rises with separation, scales with C', () => {
    fc.assert(
      fc.property(smallMatrices, fc.double({ min: 1e-3, max: 1e3, noNaN: true }), (matrix, scale) => {
        const { coefficients, rounds, minSeparation, maxParticipations } = matrix;
        const sensitivity = matrixSensitivity(matrix);
        const more = 1 + 1e-14;
        const others: BandedMatrix[] = [
          { ...matrix, maxParticipations: maxParticipations + 1 },
          { ...matrix, rounds: rounds + 1 },
          { ...matrix, coefficients: [...coefficients, 0.1], minSeparation: minSeparation + 1 },
        ];
        expect(matrixSensitivity(others[0]!) * more).toBeGreaterThanOrEqual(sensitivity);
        expect(matrixSensitivity(others[1]!) * more).toBeGreaterThanOrEqual(sensitivity);
        const separated = { ...matrix, minSeparation: minSeparation + 1 };
        expect(matrixSensitivity(separated)).toBeLessThanOrEqual(sensitivity * more);
        expect(matrixSensitivity(others[2]!) * more).toBeGreaterThanOrEqual(matrixSensitivity(separated));
        const scaled = { ...matrix, coefficients: coefficients.map((value) => value * scale) };
        expect(Math.abs(relative(matrixSensitivity(scaled), sensitivity * scale))).toBeLessThan(1e-13);
      }),
    );
  });

  test('of very large and very small coefficients neither overflows nor vanishes', () => {
    const matrix = { rounds: 8, minSeparation: 2, maxParticipations: 4 };
    expect(
      relative(matrixSensitivity({ ...matrix, coefficients: [1e300, 1e300] }), Math.sqrt(8) * 1e300),
    ).toBeCloseTo(0, 12);
    expect(
      relative(matrixSensitivity({ ...matrix, coefficients: [1e-300, 1e-300] }), Math.sqrt(8) * 1e-300),
    ).toBeCloseTo(0, 12);
  });
});

/** Epsilon of one Gaussian release on sensitivity 1 (Balle and Wang 2018, Theorem 8), by bisection. */
function gaussianEpsilon(noiseMultiplier: number, delta: number): number {
  const half = 1 / (2 * noiseMultiplier);
  const deltaOf = (epsilon: number): number =>
    normalCdf(half - epsilon * noiseMultiplier) -
    Math.exp(epsilon) * normalCdf(-half - epsilon * noiseMultiplier);
  let [low, high] = [0, 100];
  for (let step = 0; step < 100; step++) {
    const middle = (low + high) / 2;
    if (deltaOf(middle) > delta) low = middle;
    else high = middle;
  }
  return high;
}

/** z over the sensitivity, as the accountants are told. */
function noiseOf(noiseMultiplier: number, matrix: BandedMatrix): number {
  const event = {
    type: 'banded-matrix',
    noiseMultiplier: NoiseMultiplier.parse(noiseMultiplier),
    matrix,
  } as const;
  const mechanisms = interpreted([{ event, count: 1 }]);
  expect(mechanisms).toMatchObject([{ samplingRate: 1, count: 1 }]);
  return mechanisms === 'non-private' ? 0 : (mechanisms[0]?.noiseMultiplier ?? 0);
}

describe('what a run costs', () => {
  // Published: z, rho, and epsilon at delta = 1e-10 (Gboard, 400 bands, separation 484, at most 3 participations).
  test.each([
    [1.411, 0.150684, 3.424007],
    [8.35, 0.0143426, 0.99355],
  ])('a production model with z = %d and rho = %d', (z, rho, epsilon) => {
    const root = bandedSquareRoot(400);
    const matrix = { coefficients: root, rounds: 2000, minSeparation: 484, maxParticipations: 3 };
    // Their matrices are not at hand, only what sensitivity they must have had.
    const scale = (z * Math.sqrt(2 * rho)) / matrixSensitivity(matrix);
    const theirs = { ...matrix, coefficients: root.map((value) => value * scale) };
    expect(gaussianEpsilon(noiseOf(z, theirs), 1e-10)).toBeCloseTo(epsilon, 4);
  });

  test('scaling C and the noise together changes nothing', () => {
    const matrix = squareRootMatrix({ rounds: 60, minSeparation: 12 });
    const doubled = { ...matrix, coefficients: matrix.coefficients.map((value) => 2 * value) };
    expect(noiseOf(2.6, doubled)).toBeCloseTo(noiseOf(1.3, matrix), 13);
  });

  test('one band, everybody in every round: the plain Gaussian as often as there are rounds', () => {
    const matrix = squareRootMatrix({ rounds: 16, minSeparation: 1 });
    expect(noiseOf(4, matrix)).toBeCloseTo(1, 13);
    expect(noiseOf(4, matrix)).toBeLessThanOrEqual(1);
  });
});
