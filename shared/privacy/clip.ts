import type { ClipNorm } from '../units.ts';
import type { ClippedUpdate, RawUpdate } from './update.ts';

/** One user's clipped update and what it was like before; the latter two never leave the site. */
export interface Clipped {
  /** Shape (numParams,). It is the given array itself where nothing had to change. */
  readonly update: ClippedUpdate;
  /** L2 norm before clipping, parameter units; 0 for a non-finite update. */
  readonly norm: number;
  /** Whether every coordinate was finite. */
  readonly finite: boolean;
}

/**
 * Clip one user's update to L2 norm <= C over all parameters jointly (McMahan et al. 2018, flat clipping), scaling only
 * when the norm exceeds C. The float32 result's own norm, as `l2Norm` computes it, never exceeds C.
 *
 * A non-finite update becomes zero: NaN would slip through every comparison, and zero is within every clip norm.
 * 'unbounded' only replaces non-finite updates, and belongs to runs that promise nothing.
 */
export function clipUpdate(update: RawUpdate, clipNorm: ClipNorm | 'unbounded'): Clipped {
  const norm = l2Norm(update);
  if (!Number.isFinite(norm))
    return { update: clipped(new Float32Array(update.length)), norm: 0, finite: false };
  const fits = clipNorm === 'unbounded' || norm <= clipNorm;
  return { update: clipped(fits ? update : shrunk(update, norm, clipNorm)), norm, finite: true };
}

/**
 * L2 norm, accumulated in float64. Squares of float32 values are exact there and cannot overflow; the sum is within
 * numParams * 2^-53 of the true one, relatively. NaN or Infinity exactly when a coordinate is not finite.
 */
export function l2Norm(vector: Float32Array): number {
  let sumOfSquares = 0;
  for (let i = 0; i < vector.length; i++) sumOfSquares += (vector[i] ?? 0) ** 2;
  return Math.sqrt(sumOfSquares);
}

/** Rounding to float32 may lift the norm above C again; then shrink a little more, in growing steps that end at zero. */
function shrunk(update: Float32Array, norm: number, clipNorm: number): Float32Array {
  for (let excess = 0; ; excess = 2 * excess + 2 ** -24) {
    const scale = (clipNorm / norm) * Math.max(0, 1 - excess);
    const scaled = new Float32Array(update.length);
    for (let i = 0; i < scaled.length; i++) scaled[i] = (update[i] ?? 0) * scale;
    if (l2Norm(scaled) <= clipNorm) return scaled;
  }
}

function clipped(values: Float32Array): ClippedUpdate {
  return values as ClippedUpdate;
}
