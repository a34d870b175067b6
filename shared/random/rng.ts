import { type Cipher, createCipheriv, createHash, randomBytes } from 'node:crypto';
import type { Seed } from '../units.ts';

/**
 * A stream of random numbers. `secure` streams are keyed by the operating system and cannot be repeated; `seeded`
 * streams repeat exactly and exist for scenarios and tests only: whatever one of them protected is not private.
 */
export interface Rng {
  readonly kind: 'secure' | 'seeded';
  /** Uniform 32-bit unsigned integer. */
  uint32(): number;
  /** Words, possibly none, that `uint32` will hand out next, for reading many at once; `skip` says how many were read. */
  ahead(): Uint32Array;
  skip(count: number): void;
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

/**
 * Repeatable stream under a secret key of 32 bytes: nobody without the key can tell its numbers from chance, whoever has it can
 * draw them again. `kind` is `seeded`, because it repeats.
 */
export function keyedRng(key: Uint8Array): Rng {
  return seededStream(key);
}

function seededStream(key: Uint8Array): Rng {
  return stream('seeded', key, (label) => seededStream(digest(Buffer.from(key).toString('hex') + label)));
}

function digest(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}

/** Fill `words` with what `uint32` would have handed out. */
export function takeWords(rng: Rng, words: Uint32Array): void {
  for (let done = 0; done < words.length; ) {
    const ready = rng.ahead().subarray(0, words.length - done);
    if (ready.length === 0) {
      words[done++] = rng.uint32();
      continue;
    }
    words.set(ready, done);
    rng.skip(ready.length);
    done += ready.length;
  }
}

/** What is enciphered: many streams serve one user and a handful of numbers, so a stream starts with little and then takes more. */
const zeros = new Uint8Array(1 << 16);
const firstBytes = 1 << 10;

function stream(kind: Rng['kind'], key: Uint8Array, fork: (label: string) => Rng): Rng {
  let cipher: Cipher | undefined;
  // Made when first needed: some streams are there to be forked only.
  const update = (bytes: Uint8Array): Buffer => {
    cipher ??= createCipheriv('aes-256-ctr', key, new Uint8Array(16));
    return cipher.update(bytes);
  };
  let words = new Uint32Array(0);
  let next = 0;
  let taken = firstBytes;

  const refill = (): void => {
    words = littleEndianWords(update(zeros.subarray(0, taken)));
    taken = Math.min(4 * taken, zeros.length);
    next = 0;
  };
  const uint32 = (): number => {
    if (next === words.length) refill();
    return words[next++] ?? 0;
  };
  return {
    kind,
    uint32,
    ahead: () => words.subarray(next),
    skip: (count) => {
      next += count;
    },
    uniform: () => (uint32() * 0x200000 + (uint32() >>> 11)) / 2 ** 53,
    bytes: (length) => new Uint8Array(update(new Uint8Array(length))),
    fork,
  };
}

const isBigEndian = new Uint8Array(Uint32Array.of(1).buffer)[0] === 0;

/** Little-endian on every machine, so that a seed gives the same numbers everywhere. */
function littleEndianWords(bytes: Buffer): Uint32Array<ArrayBuffer> {
  const aligned = new Uint8Array(bytes);
  if (isBigEndian) Buffer.from(aligned.buffer).swap32();
  return new Uint32Array(aligned.buffer);
}
