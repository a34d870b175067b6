import { z } from 'zod';

/**
 * A banded lower-triangular Toeplitz matrix C (rounds x rounds) whose inverse correlates a site's noise over rounds
 * (Choquette-Choo et al. 2023, arXiv:2306.08153), and how often one user may take part.
 */
export const BandedMatrix = z
  .strictObject({
    /** c_0 .. c_(b-1), the first column from the diagonal down; b is the number of bands. */
    coefficients: z.array(z.number().nonnegative()).min(1),
    rounds: z.number().int().positive(),
    /**
     * The indices of two rounds in which the same user takes part differ by at least this much; 1 allows every round.
     * (Papers differ by one: some count the rounds in between.)
     */
    minSeparation: z.number().int().positive(),
    /** Rounds in which one user takes part, at most. */
    maxParticipations: z.number().int().positive(),
  })
  .refine(
    ({ coefficients }) => (coefficients[0] ?? 0) > 0,
    'the first coefficient is the diagonal and must be > 0',
  )
  .refine(
    ({ coefficients }) => coefficients.every((value, k) => k === 0 || value <= (coefficients[k - 1] ?? 0)),
    'a coefficient is larger than the one before it: then the noise could grow from round to round without bound',
  )
  .refine(
    ({ coefficients, minSeparation }) => coefficients.length <= minSeparation,
    'more bands than rounds between two participations: then the columns of one user overlap',
  );
export type BandedMatrix = z.infer<typeof BandedMatrix>;

/**
 * The first `bands` coefficients of the square root of the matrix of prefix sums, c_k = binom(2k, k) / 4^k from c_0 = 1
 * down (Fichtenberger, Henzinger and Upadhyay 2023, arXiv:2202.11205; cut to bands by Kalinin and Lampert 2024,
 * arXiv:2405.13763). One band is independent noise.
 */
export function bandedSquareRoot(bands: number): number[] {
  const coefficients = [1];
  for (let k = 1; k < bands; k++) coefficients.push(((coefficients[k - 1] ?? 0) * (2 * k - 1)) / (2 * k));
  return coefficients;
}

/**
 * A run's matrix when users take part once every `minSeparation` rounds: the square root in as many bands as keep each
 * user's columns apart, or fewer when less noise is to be kept.
 */
export function squareRootMatrix(options: {
  readonly rounds: number;
  readonly minSeparation: number;
  readonly bands?: number;
}): BandedMatrix {
  const { rounds, minSeparation, bands = Math.min(rounds, minSeparation) } = options;
  const maxParticipations = maxParticipationsOf(rounds, minSeparation);
  const coefficients = bandedSquareRoot(bands);
  return BandedMatrix.parse({ coefficients, rounds, minSeparation, maxParticipations });
}

/** Rounds in which somebody can take part who takes part every `minSeparation` rounds: ceil(rounds / minSeparation). */
export function maxParticipationsOf(rounds: number, minSeparation: number): number {
  return Math.ceil(rounds / minSeparation);
}

/**
 * The first column of C^-1 from the diagonal down, shape (count,): how the noise of a round goes into the releases after
 * it. As the coefficients of C never rise, none is outside [-1 / c_0, 1 / c_0] (docs/banded-noise.md).
 */
export function inverseCoefficients(
  { coefficients }: Pick<BandedMatrix, 'coefficients'>,
  count: number,
): Float64Array {
  const inverse = new Float64Array(count);
  const diagonal = coefficients[0] ?? 0;
  for (let row = 0; row < count; row++) {
    let rest = row === 0 ? 1 : 0;
    for (let k = Math.min(row, coefficients.length - 1); k >= 1; k--)
      rest -= (coefficients[k] ?? 0) * (inverse[row - k] ?? 0);
    inverse[row] = rest / diagonal;
  }
  return inverse;
}

/**
 * Standard deviation of one round's noise over that of the noise before correlation, z * C: the norm of row `round` of
 * C^-1. What a check of a single release has to expect.
 */
export function noiseFactorOfRound(matrix: BandedMatrix, round: number): number {
  const row = inverseCoefficients(matrix, round + 1);
  return Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
}
