import { createHash } from 'node:crypto';
import { Sha256 } from '../units.ts';

const utf8 = new TextEncoder();

/**
 * Every field preceded by its length as four big-endian bytes. Injective: two different lists of fields never give the
 * same bytes, so what is signed under one meaning cannot be read under another.
 */
export function lengthPrefixed(fields: readonly (string | Uint8Array)[]): Uint8Array {
  const parts = fields.flatMap((field) => {
    const bytes = typeof field === 'string' ? utf8.encode(field) : field;
    const length = new Uint8Array(4);
    new DataView(length.buffer).setUint32(0, bytes.length);
    return [length, bytes];
  });
  return new Uint8Array(Buffer.concat(parts));
}

/** SHA-256 of bytes as lower-case hexadecimal. */
export function sha256(bytes: Uint8Array | string): Sha256 {
  return Sha256.parse(createHash('sha256').update(bytes).digest('hex'));
}
