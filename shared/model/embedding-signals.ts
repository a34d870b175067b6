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
    const rows = unitRows(embeddings, distinctRows(users, user, anyFresh));
    const centroid = centroids.subarray(user * width, (user + 1) * width);
    setMean(rows, centroid);
    numDistinct[user] = rows.count;
    if (rows.count >= 2) {
      signals.compactness[user] = meanDistance(rows, centroid);
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

/** So many rows of `width` numbers, one after another. */
interface FlatRows {
  readonly values: Float64Array;
  readonly width: number;
  readonly count: number;
}

/** The records' embeddings at length 1; one of all zeros stays. */
function unitRows({ values, width }: Embeddings, records: readonly number[]): FlatRows {
  const rows = new Float64Array(records.length * width);
  for (const [index, record] of records.entries()) {
    const [to, from] = [index * width, record * width];
    let squares = 0;
    for (let i = 0; i < width; i++) squares += (values[from + i] ?? 0) ** 2;
    const norm = squares > 0 ? Math.sqrt(squares) : 1;
    for (let i = 0; i < width; i++) rows[to + i] = (values[from + i] ?? 0) / norm;
  }
  return { values: rows, width, count: records.length };
}

function setMean({ values, width, count }: FlatRows, out: Float64Array): void {
  for (let row = 0; row < count; row++)
    for (let i = 0; i < width; i++) out[i] = (out[i] ?? 0) + (values[row * width + i] ?? 0) / count;
}

function meanDistance(rows: FlatRows, to: Float64Array): number {
  let sum = 0;
  for (let row = 0; row < rows.count; row++) sum += distance(rows, row, to, 0);
  return sum / rows.count;
}

function meanPairDistance(rows: FlatRows): number {
  let sum = 0;
  for (let row = 0; row < rows.count; row++)
    for (let other = row + 1; other < rows.count; other++) sum += distance(rows, row, rows.values, other);
  return sum / ((rows.count * (rows.count - 1)) / 2);
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

/** Of one row to a row of `others`, which are as wide. */
function distance({ values, width }: FlatRows, row: number, others: Float64Array, other: number): number {
  const [from, to] = [row * width, other * width];
  let sum = 0;
  for (let i = 0; i < width; i++) {
    const gap = (values[from + i] ?? 0) - (others[to + i] ?? 0);
    sum += gap * gap;
  }
  return Math.sqrt(sum);
}
