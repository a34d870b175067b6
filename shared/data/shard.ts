/**
 * The records that one site holds, grouped by user. It never leaves the site.
 *
 * A user is the privacy unit: all records of one person. Records of user u stand in rows
 * `userOffsets[u] .. userOffsets[u + 1] - 1`.
 */
export interface Shard {
  readonly numFeatures: number;
  /** 2 for a yes/no label. */
  readonly numClasses: number;
  /** Shape (numRecords, numFeatures), row-major. */
  readonly features: Float32Array;
  /** Shape (numRecords,), class index in 0 .. numClasses - 1. */
  readonly labels: Int32Array;
  /** Shape (numUsers + 1,), non-decreasing, from 0 to numRecords. Every user has at least one record. */
  readonly userOffsets: Int32Array;
  /** Shape (numUsers,). Identifiers as the site knows them: they stay at the site. */
  readonly userIds: readonly string[];
  readonly subpopulations: readonly SubpopulationColumn[];
}

/** A declared attribute by which users are grouped in audits; the first record's value counts for a user. */
export interface SubpopulationColumn {
  readonly column: string;
  readonly vocabulary: readonly string[];
  /** Shape (numUsers,), index into `vocabulary`. */
  readonly codes: Int32Array;
}

/** Number of users in a shard. */
export function numUsers(shard: Shard): number {
  return shard.userOffsets.length - 1;
}

/** All users of a shard, ascending. */
export function allUsers(shard: Shard): Int32Array {
  return Int32Array.from({ length: numUsers(shard) }, (_, user) => user);
}
