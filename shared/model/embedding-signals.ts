import { setImmediate } from 'node:timers/promises';
import type { EmbeddingSignals } from './signals.ts';

/** How records are grouped into users, and which of them embedding statistics may look at. */
export interface UserRecordSets {
  /** Shape (numRecords, numFeatures), row-major: equal records of a user count once. */
  readonly features: Float32Array;
  /** Shape (numUsers + 1,): records of user u stand in rows userOffsets[u] .. userOffsets[u + 1] - 1. */
  readonly userOffsets: Int32Array;
  /** Shape (numUsers,): whose centroids separation is measured to, the first thousand. */
  readonly isReference: readonly boolean[];
  /** Shape (numUsers,), the last records of each user that never train; where there are any, only they are looked at. */
  readonly freshCounts: Int32Array;
}

/** One row of `width` numbers for each record. */
export interface Embeddings {
  readonly values: Float32Array;
  readonly width: number;
}

/** Distinct records of a user that are looked at, the first ones: pairs grow with their square. */
const mostRecords = 100;
/** Reference users whose centroids are compared with: every audit user is, with each of them. */
const mostCentres = 1000;
const usersInAStretch = 64;

/**
 * Compactness a_u, mean pair distance b_u and separation c_u of each user's embeddings (after Li, Rezaei and Liu 2022), in
 * float64. Embeddings are scaled to L2 norm 1, because a shrinking norm imitates compactness (one of all zeros stays), and
 * equal records of a user are dropped, because repetition does too. Needs no tensor library.
 */
export async function embeddingSignals(
  embeddings: Embeddings,
  users: UserRecordSets,
): Promise<EmbeddingSignals> {
  const numUsers = users.userOffsets.length - 1;
  const signals = {
    compactness: new Float32Array(numUsers).fill(-1),
    pair: new Float32Array(numUsers).fill(-1),
    separation: new Float32Array(numUsers).fill(-1),
  };
  const anyFresh = users.freshCounts.some((count) => count > 0);
  const { width } = embeddings;
  const centroids = new Float64Array(numUsers * width);
  const numDistinct = new Int32Array(numUsers);
  for (let user = 0; user < numUsers; user++) {
    const rows = distinctRows(users, user, anyFresh).map((record) => unitRow(embeddings, record));
    const centroid = meanRow(rows, width);
    centroids.set(centroid, user * width);
    numDistinct[user] = rows.length;
    if (rows.length >= 2) {
      signals.compactness[user] = mean(rows.map((row) => distance(row, centroid)));
      signals.pair[user] = meanPairDistance(rows);
    }
    if (user % usersInAStretch === 0) await setImmediate();
  }
  const isCentre = (user: number): boolean =>
    users.isReference[user] === true && (numDistinct[user] ?? 0) > 0;
  const centres = [...numDistinct.keys()].filter(isCentre).slice(0, mostCentres);
  for (let user = 0; user < numUsers; user++) {
    const least = (numDistinct[user] ?? 0) >= 2 ? separation({ centroids, width }, user, centres) : Infinity;
    if (least < Infinity) signals.separation[user] = least;
    if (user % usersInAStretch === 0) await setImmediate();
  }
  return signals;
}

/** Records of a user whose features differ, in row order; only fresh ones where the site keeps some. */
function distinctRows(
  { features, userOffsets, freshCounts }: UserRecordSets,
  user: number,
  anyFresh: boolean,
): number[] {
  const numFeatures = features.length / Math.max(1, userOffsets.at(-1) ?? 0);
  const end = userOffsets[user + 1] ?? 0;
  const start = anyFresh ? end - (freshCounts[user] ?? 0) : (userOffsets[user] ?? 0);
  const seen = new Set<string>();
  const rows: number[] = [];
  for (let record = start; record < end && rows.length < mostRecords; record++) {
    const row = features.subarray(record * numFeatures, (record + 1) * numFeatures);
    const key = Buffer.from(row.buffer, row.byteOffset, row.byteLength).toString('latin1');
    if (!seen.has(key)) rows.push(record);
    seen.add(key);
  }
  return rows;
}

function unitRow({ values, width }: Embeddings, record: number): Float64Array {
  const row = Float64Array.from(values.subarray(record * width, (record + 1) * width));
  const norm = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0));
  return norm > 0 ? row.map((value) => value / norm) : row;
}

function meanRow(rows: readonly Float64Array[], width: number): Float64Array {
  const sum = new Float64Array(width);
  for (const row of rows)
    row.forEach((value, index) => (sum[index] = (sum[index] ?? 0) + value / rows.length));
  return sum;
}

function meanPairDistance(rows: readonly Float64Array[]): number {
  let sum = 0;
  for (const [index, row] of rows.entries())
    for (const other of rows.slice(index + 1)) sum += distance(row, other);
  return sum / ((rows.length * (rows.length - 1)) / 2);
}

/** Distance of a user's centroid to the nearest of other users'; Infinity without any. Centroids are rows of `width` numbers. */
function separation(
  { centroids, width }: { readonly centroids: Float64Array; readonly width: number },
  user: number,
  centres: readonly number[],
): number {
  let least = Infinity;
  for (const centre of centres) {
    if (centre === user) continue;
    let sum = 0;
    // Given up in the middle where it is no longer the nearest; asked only now and then, which costs less than always.
    for (let start = 0; start < width && sum < least; start += stretchOfColumns) {
      const end = Math.min(width, start + stretchOfColumns);
      for (let column = start; column < end; column++) {
        const gap = (centroids[user * width + column] ?? 0) - (centroids[centre * width + column] ?? 0);
        sum += gap * gap;
      }
    }
    if (sum < least) least = sum;
  }
  return Math.sqrt(least);
}

const stretchOfColumns = 8;

function distance(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let column = 0; column < a.length; column++) {
    const gap = (a[column] ?? 0) - (b[column] ?? 0);
    sum += gap * gap;
  }
  return Math.sqrt(sum);
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}
