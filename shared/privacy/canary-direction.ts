import { createCipheriv, createHash } from 'node:crypto';
import { lengthPrefixed } from '../crypto/encoding.ts';
import type { RunId, SiteId } from '../units.ts';
import type { RawUpdate, SummedUpdate } from './update.ts';

/**
 * Random-direction canary users (Andrew et al. 2023, arXiv:2302.03098): users without a person behind them, whose update is
 * a public random direction. Both sides make the same direction from the canary's name, so none travels.
 */

/** Which canary: the `canary`-th, from 0, of a site in a run. */
export interface CanaryName {
  readonly run: RunId;
  readonly site: SiteId;
  readonly canary: number;
}

/** A vector of length 1 whose coordinates are all +-1/sqrt(numParams). */
export interface CanaryDirection {
  readonly numParams: number;
  /** Shape (ceil(numParams / 8),): the sign of coordinate i is bit i % 8 of byte i / 8, 1 for plus. */
  readonly signs: Uint8Array;
}

/** A canary's direction over the model's parameters (never the count of adaptive clipping); the same at both sides. */
export function canaryDirection({ run, site, canary }: CanaryName, numParams: number): CanaryDirection {
  const name = lengthPrefixed(['parley canary direction', run, site, String(canary)]);
  const key = createHash('sha256').update(name).digest();
  const stream = createCipheriv('aes-256-ctr', key, new Uint8Array(16));
  return { numParams, signs: new Uint8Array(stream.update(new Uint8Array(Math.ceil(numParams / 8)))) };
}

/**
 * Inner product with a direction, in the unit of the values, of which the first numParams count. Of integers it is exact
 * but for the last division, while their absolute sum stays below 2^53.
 */
export function alongDirection({ numParams, signs }: CanaryDirection, values: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < numParams; i++) {
    const bit = ((signs[i >> 3] ?? 0) >> (i & 7)) & 1;
    // No branch: the signs are random, so a processor could not foresee it.
    sum += (2 * bit - 1) * (values[i] ?? 0);
  }
  return sum / Math.sqrt(numParams);
}

/** The update of a canary before clipping: its direction times `norm`, parameter units, shape (numParams,). */
export function canaryUpdate({ numParams, signs }: CanaryDirection, norm: number): RawUpdate {
  const size = norm / Math.sqrt(numParams);
  const update = new Float32Array(numParams);
  for (let i = 0; i < numParams; i++) update[i] = ((signs[i >> 3] ?? 0) >> (i & 7)) & 1 ? size : -size;
  return update as RawUpdate;
}

/** The sum with one more user's clipped update in it; shape (numParams,). Changes the sum in place. */
export function addUpdate(sum: SummedUpdate, update: Float32Array): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + (update[i] ?? 0);
}
