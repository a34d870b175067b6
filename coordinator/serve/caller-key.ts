import { createHash, timingSafeEqual } from 'node:crypto';
import type { Rng } from '../../shared/random/rng.ts';
import { Sha256 } from '../../shared/units.ts';

/** A fresh key of 256 bits, so that its plain hash gives nothing away, and the hash that a configuration holds. */
export function createCallerKey(rng: Rng): { readonly key: string; readonly keySha256: Sha256 } {
  const key = `parley-${Buffer.from(rng.bytes(32)).toString('base64url')}`;
  return { key, keySha256: Sha256.parse(Buffer.from(keyHash(key)).toString('hex')) };
}

/** The key in a text that holds it alone, or both lines of `parley serve-key`; undefined for every other text. */
export function callerKeyIn(text: string): string | undefined {
  return /^(?:key )?(parley-[\w-]{43})(?:\s+keySha256 [0-9a-f]{64})?$/.exec(text.trim())?.[1];
}

/** Finds the caller whose key it is. Takes the same time whoever it is, and if it is nobody. */
export function callerFinder<T extends { readonly keySha256: Sha256 }>(
  callers: readonly T[],
): (key: string) => T | undefined {
  const known = callers.map((caller) => ({ caller, hash: Buffer.from(caller.keySha256, 'hex') }));
  return (key) => {
    const hash = keyHash(key);
    let found: T | undefined;
    for (const { caller, hash: other } of known) if (timingSafeEqual(hash, other)) found = caller;
    return found;
  };
}

function keyHash(key: string): Uint8Array {
  return createHash('sha256').update(`parley/1 caller key ${key}`).digest();
}
