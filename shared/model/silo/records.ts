import type { Shard } from '../../data/shard.ts';
import type { ModelSpec } from '../spec.ts';
import { firstUnusable } from '../usable-features.ts';

/** Records of several users in one piece. */
export interface SiloRecords {
  /** Shape (numRecords, numFeatures). */
  readonly features: Float32Array;
  /** Shape (numRecords,). */
  readonly labels: Int32Array;
  /** Position in `userIds` of each record's user, shape (numRecords,). */
  readonly users: Int32Array;
  readonly userIds: readonly string[];
}

/** Which records to gather. */
export interface Gathering {
  /** Indices of users, ascending. */
  readonly users: Int32Array;
  /** Of each user at most so many, the first ones by row order. */
  readonly maxRecordsPerUser: number;
}

/**
 * The records of some users of a shard, without those that the model cannot take (non-finite features, tokens outside the
 * vocabulary), and how many these were.
 */
export function gatherRecords(
  shard: Shard,
  spec: ModelSpec,
  { users, maxRecordsPerUser }: Gathering,
): SiloRecords & { readonly unusable: number } {
  const { numFeatures } = shard;
  const kept: { readonly row: number; readonly user: number }[] = [];
  let unusable = 0;
  for (const [position, user] of users.entries()) {
    const start = shard.userOffsets[user] ?? 0;
    const end = Math.min(shard.userOffsets[user + 1] ?? 0, start + maxRecordsPerUser);
    for (let row = start; row < end; row++)
      if (firstUnusable(spec, featuresOf(shard, row)) < 0) kept.push({ row, user: position });
      else unusable += 1;
  }
  const features = new Float32Array(kept.length * numFeatures);
  for (const [at, { row }] of kept.entries()) features.set(featuresOf(shard, row), at * numFeatures);
  return {
    features,
    labels: Int32Array.from(kept, ({ row }) => shard.labels[row] ?? 0),
    users: Int32Array.from(kept, ({ user }) => user),
    userIds: Array.from(users, (user) => shard.userIds[user] ?? ''),
    unusable,
  };
}

function featuresOf({ features, numFeatures }: Shard, row: number): Float32Array {
  return features.subarray(row * numFeatures, (row + 1) * numFeatures);
}

/** The records whose user satisfies a condition, ascending. */
export function rowsOf({ users }: SiloRecords, isWanted: (user: number) => boolean): Int32Array {
  return Int32Array.from([...users.keys()].filter((row) => isWanted(users[row] ?? -1)));
}
