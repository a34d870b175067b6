import { createHash, type Hash } from 'node:crypto';
import { Sha256 } from '../units.ts';
import { chunkBytes } from './messages.ts';

/** A part of an upload or a blob, as it is sent. */
export interface Part {
  readonly bytes: Uint8Array;
  /**
   * SHA-256 of everything from the start up to the end of this part: it says where the part belongs as well, that of the last
   * part is that of the whole, and a receiver hashes no byte twice.
   */
  readonly prefixSha256: Sha256;
}

/** The hash of bytes that come in order. */
export interface RunningHash {
  /** Hash of all bytes so far. */
  readonly sha256: Sha256;
  /** With more bytes; this one stays as it is. */
  and(bytes: Uint8Array): RunningHash;
}

/** The hash of no bytes yet. */
export function runningHash(): RunningHash {
  return stateOf(createHash('sha256'));
}

function stateOf(hash: Hash): RunningHash {
  return {
    sha256: Sha256.parse(hash.copy().digest('hex')),
    and: (bytes) => stateOf(hash.copy().update(bytes)),
  };
}

/** Parts of bytes from any offset on, of {@link chunkBytes} at most. What was hashed once is remembered. */
export function partsOf(bytes: Uint8Array): (offset: number) => Part {
  const known = new Map([[0, runningHash()]]);
  return (offset) => {
    const before = known.get(offset) ?? runningHash().and(bytes.subarray(0, offset));
    // A copy: what is sent must not carry the whole along.
    const part = new Uint8Array(bytes.subarray(offset, offset + chunkBytes));
    const end = offset + part.length;
    const after = known.get(end) ?? before.and(part);
    known.set(end, after);
    return { bytes: part, prefixSha256: after.sha256 };
  };
}
