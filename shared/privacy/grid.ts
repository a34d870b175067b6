import type { ClipNorm } from '../units.ts';
import type { SummedUpdate } from './update.ts';

/** Share of the clip norm that rounding a sum to the grid may add to one user's influence. */
const roundingShare = 0.0009;

/**
 * Share of the clip norm granted to float64 arithmetic: 2^-14 for adding up to 2^19 users (2 n^2 2^-53), the rest for
 * norms that are a little off (docs/privacy.md derives both).
 */
const arithmeticShare = 1e-4;

/** Grid step g = C * 2^-k, parameter units, with k = max(16, ceil(log2(sqrt(numParams) / 0.0009))). */
export function gridStep(clipNorm: ClipNorm, numParams: number): number {
  return clipNorm * 2 ** -gridBits(numParams);
}

/**
 * Relative enlargement of the clip norm that the noise must cover, in (0, 0.001]. Adding or removing one user changes the
 * sum on the grid by at most C * (1 + slack) / g in L2 norm: C from the user, g * sqrt(numParams) from rounding, and the
 * rest from float64 arithmetic.
 */
export function sensitivitySlack(numParams: number): number {
  return Math.sqrt(numParams) * 2 ** -gridBits(numParams) + arithmeticShare;
}

/**
 * The sum in grid units, rounded to the nearest integer, shape (numParams,): integers held in float64, exact below 2^53. NaN and
 * Infinity, which a sum of clipped updates cannot hold, count as 0: refusing them would tell of somebody's data for nothing.
 */
export function toGrid(sum: SummedUpdate, step: number): Float64Array {
  const onGrid = new Float64Array(sum.length);
  for (let index = 0; index < onGrid.length; index++) {
    const value = sum[index] ?? 0;
    // Adding 0 turns -0 into 0, so that equal sums have equal bytes.
    onGrid[index] = Number.isFinite(value) ? Math.round(value / step) + 0 : 0;
  }
  return onGrid;
}

function gridBits(numParams: number): number {
  return Math.max(16, Math.ceil(Math.log2(Math.sqrt(numParams) / roundingShare)));
}
