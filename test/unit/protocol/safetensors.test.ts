import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ParleyError } from '../../../shared/errors.ts';
import {
  decodeTensors,
  encodedBytes,
  encodeTensors,
  type Tensor,
} from '../../../shared/protocol/safetensors.ts';

const vector = (name: string): Uint8Array =>
  new Uint8Array(readFileSync(new URL(`../../vectors/${name}.safetensors`, import.meta.url)));

const shape = fc.array(fc.nat({ max: 4 }), { maxLength: 3 });
const filled = (extents: readonly number[]): number => extents.reduce((a, b) => a * b, 1);
const tensor = (name: string): fc.Arbitrary<Tensor> =>
  shape.chain((extents) => {
    const length = { minLength: filled(extents), maxLength: filled(extents) };
    return fc.oneof(
      fc.float32Array(length).map((data): Tensor => ({ name, shape: extents, dtype: 'F32', data })),
      fc.float64Array(length).map((data): Tensor => ({ name, shape: extents, dtype: 'F64', data })),
      fc.int32Array(length).map((data): Tensor => ({ name, shape: extents, dtype: 'I32', data })),
    );
  });
const tensors = fc
  .uniqueArray(fc.string({ maxLength: 6 }), { maxLength: 5 })
  .chain((names) => fc.tuple(...names.map(tensor)));
const metadata = fc.dictionary(fc.string({ maxLength: 5 }), fc.string({ maxLength: 5 }), { maxKeys: 3 });

describe('safetensors', () => {
  test('gives back what it was given, bit by bit, in the size foretold, in any order', () => {
    fc.assert(
      fc.property(tensors, metadata, fc.nat(7), (given, notes, shift) => {
        const bytes = encodeTensors(given, notes);
        expect(bytes.length).toBe(encodedBytes(given, notes));
        expect(encodeTensors([...given].reverse(), notes)).toEqual(bytes);
        const shifted = new Uint8Array(bytes.length + shift).subarray(shift);
        shifted.set(bytes);
        const file = decodeTensors(shifted);
        expect(Object.entries(file.metadata).sort()).toEqual(Object.entries(notes).sort());
        expect(file.tensors.size).toBe(given.length);
        for (const one of given) expect(file.tensors.get(one.name)).toEqual(one);
        const owned = decodeTensors(shifted, 'owned');
        for (const one of given) expect(owned.tensors.get(one.name)).toEqual(one);
      }),
    );
  });

  test('reads and writes the reference implementation byte for byte', () => {
    const bytes = vector('tensors');
    const { tensors, metadata } = decodeTensors(bytes);
    expect(metadata).toEqual({ origin: 'python 0.8.0, é "quoted"' });
    expect(tensors.get('weights')).toEqual({
      name: 'weights',
      dtype: 'F32',
      shape: [2, 3],
      data: Float32Array.of(1.5, -2.25, 3, 0.1, 1e-30, -1e30),
    });
    expect(tensors.get('sums')?.data).toEqual(Float64Array.of(Math.PI, -0, 1e300));
    expect(tensors.get('codes')?.data).toEqual(Int32Array.of(-(2 ** 31), -1, 0, 1, 2 ** 31 - 1));
    expect(tensors.get('scalar')).toMatchObject({ shape: [], data: Int32Array.of(7) });
    expect(tensors.get('bias')).toMatchObject({ shape: [0] });
    expect(encodeTensors([...tensors.values()], metadata)).toEqual(bytes);
  });

  test('holds an empty tensor beside one whose name JSON.parse moves to the front', () => {
    const given: Tensor[] = [
      { name: ' ', dtype: 'F32', shape: [0], data: new Float32Array(0) },
      { name: '7', dtype: 'F32', shape: [1], data: Float32Array.of(5) },
    ];
    expect([...decodeTensors(encodeTensors(given)).tensors.values()]).toEqual(given);
  });

  test('holds nothing at all', () => {
    expect(decodeTensors(encodeTensors([]))).toEqual({ tensors: new Map(), metadata: {} });
  });

  test("stays where it is, aligned, in bytes that are the reader's own", () => {
    const bytes = encodeTensors([{ name: 'a', dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) }]);
    expect(decodeTensors(bytes, 'owned').tensors.get('a')?.data.buffer).toBe(bytes.buffer);
  });

  test('copies: neither the file nor the tensors share memory with the other', () => {
    const data = Float32Array.of(1, 2);
    const bytes = encodeTensors([{ name: 'a', dtype: 'F32', shape: [2], data }]);
    const decoded = decodeTensors(bytes).tensors.get('a');
    bytes.fill(0);
    data.fill(9);
    expect(decoded?.data).toEqual(Float32Array.of(1, 2));
  });

  test.each([
    ['a shape that does not fit', [{ name: 'a', dtype: 'F32', shape: [3], data: Float32Array.of(1, 2) }]],
    [
      'a name twice',
      [
        { name: 'a', dtype: 'F32', shape: [0], data: new Float32Array(0) },
        { name: 'a', dtype: 'I32', shape: [0], data: new Int32Array(0) },
      ],
    ],
    ['the reserved name', [{ name: '__metadata__', dtype: 'F32', shape: [0], data: new Float32Array(0) }]],
  ] as [string, Tensor[]][])('does not write %s', (_name, given) => {
    expect(codeOf(() => encodeTensors(given))).toBe('WRONG_SHAPE');
  });
});

describe('hostile files are WRONG_SHAPE', () => {
  const entry = (from: number, to: number, dtype = 'F32', extents: unknown = [(to - from) / 4]) =>
    JSON.stringify({ dtype, shape: extents, data_offsets: [from, to] });
  const one = `{"a":${entry(0, 8)}}`;
  const cases: [string, Uint8Array][] = [
    ['empty', new Uint8Array(0)],
    ['shorter than its length field', new Uint8Array(7)],
    ['a header length of 2^64 - 1', new Uint8Array(64).fill(255)],
    ['a header longer than the file', file('{}', 0, 100n)],
    ['a header that is no JSON', file('{a}', 0)],
    ['a header that is an array', file('[]', 0)],
    ['a header that is null', file('null', 0)],
    ['a header that is no UTF-8', rawFile(Uint8Array.of(0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d))],
    ['bytes behind the last tensor', file(one, 12)],
    ['bytes missing', file(one, 4)],
    ['a gap before the first tensor', file(`{"a":${entry(4, 12)}}`, 12)],
    ['a gap between tensors', file(`{"a":${entry(0, 4)},"b":${entry(8, 12)}}`, 12)],
    ['tensors that overlap', file(`{"a":${entry(0, 8)},"b":${entry(4, 12)}}`, 12)],
    ['two tensors in one place', file(`{"a":${entry(0, 8)},"b":${entry(0, 8)}}`, 8)],
    ['a shape that does not fit its bytes', file(`{"a":${entry(0, 8, 'F32', [3])}}`, 8)],
    ['an overflowing shape', file(`{"a":${entry(0, 8, 'F32', [2 ** 52, 2 ** 52])}}`, 8)],
    ['a negative extent', file(`{"a":${entry(0, 8, 'F32', [-2])}}`, 8)],
    ['a fractional extent', file(`{"a":${entry(0, 8, 'F32', [2.5])}}`, 8)],
    ['an unknown type', file(`{"a":${entry(0, 8, 'BF16')}}`, 8)],
    ['offsets in the wrong order', file(`{"a":{"dtype":"F32","shape":[0],"data_offsets":[8,0]}}`, 8)],
    ['a field too many', file(`{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}}`, 8)],
    ['a name twice', file(`{"a":${entry(0, 8)},"a":${entry(0, 8)}}`, 8)],
    ['metadata that are no text', file(`{"__metadata__":{"a":1}}`, 0)],
    ['a misaligned start', rawFile(new TextEncoder().encode('{"a":' + entry(0, 4) + '} '), 4)],
    ['a misaligned tensor', file(`{"a":${entry(0, 4)},"b":${entry(4, 12, 'F64', [1])}}`, 12)],
    ['spaces inside the header', file(`{"a": ${entry(0, 8)}}`, 8)],
  ];

  test.each(cases)('%s', (_name, bytes) => {
    expect(codeOf(() => decodeTensors(bytes))).toBe('WRONG_SHAPE');
  });

  test('a tensor called __proto__ is a tensor like any other', () => {
    const decoded = decodeTensors(file(`{"__proto__":${entry(0, 8)}}`, 8));
    expect([...decoded.tensors.keys()]).toEqual(['__proto__']);
  });

  test('whatever is flipped, cut or added, it is read or refused, never anything else', () => {
    const good = vector('tensors');
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, value, length) => {
        const bytes = good.slice(0, length);
        bytes[at] = value;
        expect(['fine', 'WRONG_SHAPE']).toContain(codeOf(() => decodeTensors(bytes)));
      }),
      { numRuns: 500 },
    );
  });
});

function file(header: string, dataBytes: number, claimed?: bigint): Uint8Array {
  const padded = header.padEnd(Math.ceil(header.length / 8) * 8);
  return rawFile(new TextEncoder().encode(padded), dataBytes, claimed);
}

function rawFile(header: Uint8Array, dataBytes = 0, claimed = BigInt(header.length)): Uint8Array {
  const bytes = new Uint8Array(8 + header.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, claimed, true);
  bytes.set(header, 8);
  return bytes;
}

function codeOf(action: () => unknown): string {
  try {
    action();
    return 'fine';
  } catch (error) {
    if (error instanceof ParleyError) return error.code;
    throw error;
  }
}
