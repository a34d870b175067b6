import type { BandedMatrix } from './banded-matrix.ts';

/**
 * L2 sensitivity of a banded matrix mechanism for users of clip norm 1: the largest norm of a sum of columns of C, each
 * times a vector of norm <= 1, over the participations that the matrix allows. Neighbouring: one user added or removed.
 *
 * No more bands than the separation means that the columns of one user share no row, so squared norms add up
 * (Choquette-Choo et al. 2023, arXiv:2306.08153, Theorem 2). Column j holds the first rounds - j coefficients, so norms
 * never rise with j, and whoever takes part for the i-th time is in round i * minSeparation at the earliest: starting in
 * round 0 and coming back as soon as allowed is the worst case (Kalinin and Lampert 2024, arXiv:2405.13763, Theorem 2).
 *
 * Never below the exact value: rounding is bounded and added. Cost O(bands).
 */
export function matrixSensitivity(matrix: BandedMatrix): number {
  const { coefficients, rounds, minSeparation, maxParticipations } = matrix;
  const participations = Math.min(maxParticipations, Math.ceil(rounds / minSeparation));
  const whole = Math.min(participations, wholeColumns(matrix));
  // Dividing by the largest keeps squares from under- and overflowing.
  const largest = coefficients.reduce((a, b) => Math.max(a, b));
  let squares = whole * squaredNorm(coefficients, largest);
  // Bands fit between participations, so at most the last one's column is cut off by the end of the run.
  if (participations > whole)
    squares += squaredNorm(coefficients.slice(0, rounds - whole * minSeparation), largest);
  return Math.sqrt(squares) * largest * (1 + (coefficients.length + 16) * Number.EPSILON);
}

/** Participations, one every `minSeparation` rounds from round 0 on, whose columns hold all coefficients. */
function wholeColumns({ coefficients, rounds, minSeparation }: BandedMatrix): number {
  return Math.max(0, Math.floor((rounds - coefficients.length) / minSeparation) + 1);
}

function squaredNorm(coefficients: readonly number[], unit: number): number {
  return coefficients.reduce((sum, value) => sum + (value / unit) ** 2, 0);
}
