import { createCipheriv, createHash, randomBytes } from 'node:crypto';
import type { Seed } from '../units.ts';

/**
 * A stream of random numbers. `secure` streams are keyed by the operating system and cannot be repeated; `seeded`
 * streams repeat exactly and exist for scenarios and tests only: whatever one of them protected is not private.
 */
export interface Rng {
  readonly kind: 'secure' | 'seeded';
  /** Uniform 32-bit unsigned integer. */
  uint32(): number;
  /** Uniform on the 2^53 multiples of 2^-53 in [0, 1). */
  uniform(): number;
  /** `length` fresh random bytes, never the ones that `uint32` or `uniform` hand out. */
  bytes(length: number): Uint8Array;
  /**
   * An independent stream under a label, so that a new consumer shifts nobody else's numbers. A seeded stream gives the
   * same fork for the same label however much of it was used, so every purpose needs its own label.
   */
  fork(label: string): Rng;
}

/** Cryptographically secure stream (AES-256-CTR keyed by 32 bytes of the operating system). Every fork is keyed afresh. */
export function secureRng(): Rng {
  return stream('secure', randomBytes(32), secureRng);
}

/** Repeatable stream for scenarios: the same seed and fork labels give the same numbers on every machine. */
export function seededRng(seed: Seed): Rng {
  return seededStream(digest(`parley seed ${seed}`));
}

function seededStream(key: Uint8Array): Rng {
  return stream('seeded', key, (label) => seededStream(digest(Buffer.from(key).toString('hex') + label)));
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}

const blockBytes = 1 << 16;
const firstBlockBytes = 1 << 10;

function stream(kind: Rng['kind'], key: Uint8Array, fork: (label: string) => Rng): Rng {
  const cipher = createCipheriv('aes-256-ctr', key, new Uint8Array(16));
  let block = new DataView(new ArrayBuffer(0));
  let offset = 0;
  let nextBytes = firstBlockBytes;

  // Small first block: many streams serve one user and a handful of numbers.
  const refill = (): void => {
    const cipherBytes = cipher.update(new Uint8Array(nextBytes));
    block = new DataView(cipherBytes.buffer, cipherBytes.byteOffset, cipherBytes.byteLength);
    nextBytes = blockBytes;
    offset = 0;
  };
  const uint32 = (): number => {
    if (offset + 4 > block.byteLength) refill();
    const value = block.getUint32(offset, true);
    offset += 4;
    return value;
  };
  return {
    kind,
    uint32,
    uniform: () => (uint32() * 0x200000 + (uint32() >>> 11)) / 2 ** 53,
    bytes: (length) => new Uint8Array(cipher.update(new Uint8Array(length))),
    fork,
  };
}
