import type { BandedMatrix } from './banded-matrix.ts';

/**
 * L2 sensitivity of a banded matrix mechanism for users of clip norm 1: the largest norm of a sum of columns of C over
 * the participations that the matrix allows (Choquette-Choo et al. 2023, arXiv:2306.08153, Theorem 2).
 */
export function matrixSensitivity({ coefficients, maxParticipations }: BandedMatrix): number {
  return Math.hypot(...coefficients) * Math.sqrt(maxParticipations);
}
