import { createHash } from 'node:crypto';
import { sha256 } from '../shared/crypto/encoding.ts';
import type { Sha256 } from '../shared/units.ts';

/** The users who could have been in a release, drawn or not. Hand in the same object for all rounds in which they are the same. */
export interface EligibleUsers {
  /** The site's own identifiers, distinct. They never leave the site, and the ledger keeps only their hashes. */
  readonly userIds: readonly string[];
  /** Shape (numUsers,), each in (0, 1]: how much of the clip norm is this site's; 1 for all when left out. */
  readonly weights?: ArrayLike<number>;
}

/** Users by the hash of their identifier, with their weights. */
export type UserWeights = ReadonlyMap<string, number>;

/** Users as the ledger keeps them, once for each distinct list. */
export interface PackedUsers {
  readonly sha256: Sha256;
  readonly bytes: Uint8Array;
}

/** 128 bits of a user's hash: two of 10^9 users agree with probability below 2^-68. */
const idBytes = 16;
const headerBytes = 12;

/**
 * The list as bytes: for each weight, largest first, the weight (float64), the number of its users (uint32), and their
 * hashes in order. The same users and weights give the same bytes, whatever their order.
 */
export function packUsers({ userIds, weights }: EligibleUsers): PackedUsers {
  const byWeight = new Map<number, Buffer[]>();
  for (const [index, id] of userIds.entries()) {
    const weight = weights ? (weights[index] ?? NaN) : 1;
    if (!(weight > 0 && weight <= 1))
      throw new RangeError(`user ${index} has weight ${weight}, expected one in (0, 1]`);
    const group = byWeight.get(weight) ?? [];
    byWeight.set(weight, group);
    group.push(hashOf(id));
  }
  const groups = [...byWeight].sort(([a], [b]) => b - a);
  const parts = groups.flatMap(([weight, ids]) => [
    header(weight, ids.length),
    ...ids.sort((a, b) => a.compare(b)),
  ]);
  const bytes = new Uint8Array(Buffer.concat(parts));
  return { sha256: sha256(bytes), bytes };
}

/** The inverse of {@link packUsers}; undefined where the bytes are no such list. */
export function unpackUsers(bytes: Uint8Array): UserWeights | undefined {
  const users = new Map<string, number>();
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (at < view.length) {
    if (view.length - at < headerBytes) return undefined;
    const weight = view.readDoubleLE(at);
    const end = at + headerBytes + idBytes * view.readUInt32LE(at + 8);
    if (end > view.length) return undefined;
    for (at += headerBytes; at < end; at += idBytes)
      users.set(view.toString('hex', at, at + idBytes), weight);
  }
  return users;
}

function hashOf(userId: string): Buffer {
  return createHash('sha256').update(`parley/1 user\n${userId}`).digest().subarray(0, idBytes);
}

function header(weight: number, count: number): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  bytes.writeDoubleLE(weight, 0);
  bytes.writeUInt32LE(count, 8);
  return bytes;
}
