import type { Shard } from '../data/shard.ts';
import { pickLabels, pickRows } from './pick-rows.ts';
import type { StepRows } from './steps.ts';

/** Records of one user, of all her steps or of one. */
export interface StepInput {
  /** Shape (numRecords, numFeatures). */
  readonly features: Float32Array;
  /** Shape (numRecords,). */
  readonly labels: Int32Array;
}

/** So many of a shard's records from row `start` on, without a copy. */
export function recordsFrom(
  { features, labels, numFeatures }: Shard,
  { start, numRecords }: { readonly start: number; readonly numRecords: number },
): StepInput {
  const end = start + numRecords;
  return {
    features: features.subarray(start * numFeatures, end * numFeatures),
    labels: labels.subarray(start, end),
  };
}

/** The records of one step; a copy where it does not take all. */
export function stepRecords(user: StepInput, rows: StepRows, numFeatures: number): StepInput {
  if (rows === 'all') return user;
  return {
    features: pickRows(user.features, rows, numFeatures),
    labels: pickLabels(user.labels, rows),
  };
}
