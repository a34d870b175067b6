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

/** Bytes that are sent in parts. */
export interface Parts {
  /** SHA-256 of all of them. */
  readonly sha256: Sha256;
  /** What starts at any offset, of {@link chunkBytes} at most. */
  readonly from: (offset: number) => Part;
}

/** Bytes in parts. They are hashed here, once, and again only from an offset at which no whole number of parts ends. */
export function partsOf(bytes: Uint8Array): Parts {
  let hash = runningHash();
  const prefixes = new Map([[0, hash.sha256]]);
  for (let start = 0; start < bytes.length; start += chunkBytes) {
    const part = bytes.subarray(start, start + chunkBytes);
    hash = hash.and(part);
    prefixes.set(start + part.length, hash.sha256);
  }
  return {
    sha256: hash.sha256,
    from: (offset) => {
      // A copy: what is sent must not carry the whole along.
      const part = new Uint8Array(bytes.subarray(offset, offset + chunkBytes));
      const end = offset + part.length;
      const prefixSha256 = prefixes.get(end) ?? runningHash().and(bytes.subarray(0, end)).sha256;
      return { bytes: part, prefixSha256 };
    },
  };
}
