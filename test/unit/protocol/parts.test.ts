import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chunkBytes } from '../../../shared/protocol/messages.ts';
import { partsOf, runningHash } from '../../../shared/protocol/parts.ts';

const bytes = new Uint8Array(Buffer.alloc(3 * chunkBytes + 17, 'records of nobody'));
const hashOf = (end: number): string => createHash('sha256').update(bytes.subarray(0, end)).digest('hex');

test('whatever is asked for, in whatever order and how often, has the hash of all up to its end', () => {
  const offset = fc.nat(bytes.length - 1);
  const aligned = fc.nat(3).map((n) => n * chunkBytes);
  fc.assert(
    fc.property(fc.array(fc.oneof(offset, aligned), { minLength: 1, maxLength: 6 }), (offsets) => {
      const parts = partsOf(bytes);
      for (const start of offsets) {
        const { bytes: some, prefixSha256 } = parts.from(start);
        const end = Math.min(bytes.length, start + chunkBytes);
        expect(some.length).toBe(end - start);
        expect(Buffer.compare(some, bytes.subarray(start, end))).toBe(0);
        expect(some.buffer.byteLength).toBe(some.length);
        expect(prefixSha256).toBe(hashOf(end));
      }
    }),
    { numRuns: 30 },
  );
});

test.each([0, 1, chunkBytes - 1, chunkBytes, chunkBytes + 1, bytes.length])(
  '%i bytes have their own hash, which is that of their last part',
  (length) => {
    const parts = partsOf(bytes.subarray(0, length));
    expect(parts.sha256).toBe(hashOf(length));
    const last = Math.floor(Math.max(0, length - 1) / chunkBytes) * chunkBytes;
    expect(parts.from(last).prefixSha256).toBe(parts.sha256);
  },
);

test('a running hash is that of all its bytes, and going on leaves it as it was', () => {
  const empty = runningHash();
  expect(empty.sha256).toBe('e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
  const abc = empty.and(Buffer.from('a')).and(Buffer.from('bc'));
  // FIPS 180-2, appendix B.1.
  expect(abc.sha256).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  expect(abc.and(Buffer.from('d')).sha256).not.toBe(abc.sha256);
  expect(empty.sha256).toBe(runningHash().sha256);
});
