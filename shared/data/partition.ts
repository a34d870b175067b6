import { createHash } from 'node:crypto';
import { ParleyError } from '../errors.ts';
import { numUsers, type Shard, type SubpopulationColumn } from './shard.ts';

/**
 * Cutting shards by user. A user's records are never divided: the privacy unit sits at one site, and its coin, clip and
 * noise are drawn there. Only `spreadSite` divides a person's records on purpose, for sites that link their users.
 */

/** The named users of a shard, in the order given and with all their records. `users` are indices in 0 .. numUsers - 1. */
export function selectUsers(shard: Shard, users: Int32Array): Shard {
  const userOffsets = new Int32Array(users.length + 1);
  users.forEach((user, index) => {
    userOffsets[index + 1] = (userOffsets[index] ?? 0) + endOf(shard, user) - startOf(shard, user);
  });
  const numRecords = userOffsets.at(-1) ?? 0;
  const features = new Float32Array(numRecords * shard.numFeatures);
  const labels = new Int32Array(numRecords);
  users.forEach((user, index) => {
    const [start, end, at] = [startOf(shard, user), endOf(shard, user), userOffsets[index] ?? 0];
    features.set(
      shard.features.subarray(start * shard.numFeatures, end * shard.numFeatures),
      at * shard.numFeatures,
    );
    labels.set(shard.labels.subarray(start, end), at);
  });
  return {
    ...shard,
    features,
    labels,
    userOffsets,
    userIds: Array.from(users, (user) => shard.userIds[user] ?? ''),
    subpopulations: shard.subpopulations.map((column) => ({
      ...column,
      codes: users.map((user) => column.codes[user] ?? 0),
    })),
  };
}

/**
 * Cut a shard into sites by a key for each user (`keyOf` gets the user's index); keys in order of first appearance, users
 * of a site in the shard's order. A user goes to exactly one site.
 */
export function splitBySiteKey(shard: Shard, keyOf: (user: number) => string): Map<string, Shard> {
  const users = new Map<string, number[]>();
  shard.userIds.forEach((_, user) => {
    const key = keyOf(user);
    const before = users.get(key);
    if (before === undefined) users.set(key, [user]);
    else before.push(user);
  });
  return new Map([...users].map(([key, indices]) => [key, selectUsers(shard, Int32Array.from(indices))]));
}

/**
 * The site in 0 .. numSites - 1 of a user id, by SHA-256: the same on every machine, close to even, and unrelated to
 * anything that the records say. For scenarios that divide one table among simulated sites.
 */
export function hashedSite(userId: string, numSites: number): number {
  return hashed(`parley site\n${userId}`, numSites);
}

/**
 * The site in 0 .. numSites - 1 of a row of a table (from 0), by SHA-256 of its number alone: it spreads the records of one
 * person over the sites, as when she is a patient of several hospitals.
 */
export function spreadSite(row: number, numSites: number): number {
  return hashed(`parley record site\n${row + 1}`, numSites);
}

function hashed(text: string, numSites: number): number {
  return createHash('sha256').update(text).digest().readUIntBE(0, 6) % numSites;
}

/**
 * All users of several shards of the same schema, one shard after another, for pooled evaluation and pooled baselines. The
 * same user id at two sites stays two users. Throws WRONG_SHAPE when features, classes or subpopulations differ.
 */
export function concatenateShards(shards: readonly [Shard, ...Shard[]]): Shard {
  const [first] = shards;
  for (const shard of shards) refuseOtherShape(first, shard);
  const labels = new Int32Array(total(shards, (shard) => shard.labels.length));
  const features = new Float32Array(labels.length * first.numFeatures);
  const userOffsets = new Int32Array(total(shards, numUsers) + 1);
  let [records, users] = [0, 0];
  for (const shard of shards) {
    features.set(shard.features, records * first.numFeatures);
    labels.set(shard.labels, records);
    const from = records;
    userOffsets.set(
      shard.userOffsets.map((offset) => offset + from),
      users,
    );
    records += shard.labels.length;
    users += numUsers(shard);
  }
  const userIds = shards.flatMap((shard) => shard.userIds);
  const subpopulations = first.subpopulations.map((column, index) => ({
    ...column,
    codes: Int32Array.from(shards.flatMap((shard) => [...(shard.subpopulations[index]?.codes ?? [])])),
  }));
  return { ...first, features, labels, userOffsets, userIds, subpopulations };
}

function refuseOtherShape(first: Shard, shard: Shard): void {
  const shape = ({ numFeatures, numClasses, subpopulations }: Shard): string =>
    JSON.stringify({ numFeatures, numClasses, subpopulations: subpopulations.map(groupNames) });
  if (shape(first) !== shape(shard))
    throw new ParleyError(
      'WRONG_SHAPE',
      `shards of different schemas cannot be joined: found ${shape(shard)}, expected ${shape(first)}; encode every table with one schema`,
    );
}

function groupNames({ column, vocabulary }: SubpopulationColumn): readonly string[] {
  return [column, ...vocabulary];
}

function total(shards: readonly Shard[], of: (shard: Shard) => number): number {
  return shards.reduce((sum, shard) => sum + of(shard), 0);
}

function startOf(shard: Shard, user: number): number {
  return shard.userOffsets[user] ?? 0;
}

function endOf(shard: Shard, user: number): number {
  return shard.userOffsets[user + 1] ?? 0;
}
