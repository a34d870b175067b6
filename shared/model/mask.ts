import { ParleyError } from '../errors.ts';
import type { ParameterLayout } from './layout.ts';

/**
 * Which parameters of a model are trained and released. It is public: part of the signed plan, and computed from released models
 * alone, so it tells nothing of any user that they do not.
 */
export interface ParameterMask {
  /** Shape (numParams,): 1 for a parameter that is kept, 0 for a pruned one, which stays as it was received. */
  readonly flags: Uint8Array;
  /** Number of parameters that are kept, at least 1. */
  readonly kept: number;
}

/**
 * A mask from its flags.
 *
 * @throws WRONG_SHAPE when nothing is kept: there would be nothing to train.
 */
export function maskOf(flags: Uint8Array): ParameterMask {
  const kept = flags.reduce((count, flag) => count + flag, 0);
  if (kept === 0) throw new ParleyError('WRONG_SHAPE', 'a mask keeps none of the parameters; keep some');
  return { flags, kept };
}

/** The kept values in their order, shape (kept,), from values of shape (numParams,); the values themselves without a mask. */
export function keptOf<T extends Float64Array>(values: T, mask: ParameterMask | undefined): T {
  // Pruned values are zeros of an update, so the rest is what it was: clipped, summed.
  return mask ? (values.filter((_, i) => mask.flags[i] === 1) as T) : values;
}

/** The inverse of {@link keptOf}: shape (numParams,) with zeros where the mask prunes. */
export function spread(kept: Float64Array, mask: ParameterMask | undefined): Float64Array {
  if (!mask) return kept;
  let next = 0;
  return Float64Array.from(mask.flags, (flag) => (flag === 1 ? (kept[next++] ?? 0) : 0));
}

/** The values with zeros where the mask prunes, shape (numParams,); an empty vector stays empty. */
export function pruned<T extends Float32Array | Float64Array>(values: T, { flags }: ParameterMask): T {
  const left = values.slice() as T;
  for (let i = 0; i < left.length; i++) if (flags[i] !== 1) left[i] = 0;
  return left;
}

/** How many parameters of each block of the layout are kept. */
export function keptSizes(layout: ParameterLayout, mask: ParameterMask | undefined): readonly number[] {
  if (!mask) return layout.map(({ size }) => size);
  return layout.map(({ offset, size }) =>
    mask.flags.subarray(offset, offset + size).reduce((count, flag) => count + flag, 0),
  );
}
