import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { lengthPrefixed, sha256 } from '../../../shared/crypto/encoding.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('length-prefixed encoding', () => {
  test('is read back field by field, so two lists of fields never give the same bytes', () => {
    const field = fc.uint8Array({ maxLength: 40 });
    fc.assert(
      fc.property(fc.array(field, { maxLength: 6 }), (fields) => {
        expect(fieldsOf(lengthPrefixed(fields)).map(hex)).toEqual(fields.map(hex));
      }),
    );
  });

  test('moving a character over a field border changes the bytes', () => {
    const text = fc.string({ minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(text, text, (a, b) => {
        expect(hex(lengthPrefixed([a + b, '']))).not.toBe(hex(lengthPrefixed([a, b])));
      }),
    );
  });

  test('writes lengths as four big-endian bytes, counts bytes and not characters', () => {
    expect(hex(lengthPrefixed(['é', '']))).toBe('00000002c3a900000000');
    expect(lengthPrefixed([])).toHaveLength(0);
    expect(hex(lengthPrefixed([new Uint8Array(0x0102)])).slice(0, 8)).toBe('00000102');
  });
});

test('sha256 gives the published digests (FIPS 180-2, "abc" and the empty text)', () => {
  expect(sha256('abc')).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  expect(sha256(new Uint8Array(0))).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
});

function fieldsOf(bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const fields: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = view.getUint32(at);
    fields.push(bytes.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return fields;
}
