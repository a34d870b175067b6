import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeTable } from '../../../shared/data/encode.ts';
import { parseIdxImages } from '../../../shared/data/idx.ts';
import { featureNames, numClassesOf, parseDataSchema } from '../../../shared/data/schema.ts';
import type { Table } from '../../../shared/data/table.ts';

interface Vectors {
  images: { idxGzip: string; unit: number[][]; symmetric: number[][] };
  text: {
    text: string;
    vocabulary: string;
    window: number;
    stride: number;
    windows: number[][];
    labels: number[];
  };
}
const vectors = JSON.parse(readFileSync('test/vectors/inputs.json', 'utf8')) as Vectors;
const idx = Uint8Array.from(gunzipSync(Buffer.from(vectors.images.idxGzip, 'base64')));
const patched = (at: number, value: number): Uint8Array => {
  const bytes = idx.slice();
  bytes[at] = value;
  return bytes;
};
const invalid = (text: RegExp): Error =>
  expect.objectContaining({
    code: 'DATA_VALUE_INVALID',
    message: expect.stringMatching(text) as unknown,
  }) as Error;

describe('IDX images', () => {
  const image = { type: 'image', column: 'n', file: 'x.idx', height: 2, width: 4 };
  const encode = (rows: string[], declared: object = image, images = parseIdxImages(idx, 'x.idx')) => {
    const schema = parseDataSchema(
      {
        user: 'row',
        label: { type: 'binary', column: 'y', positive: [1], negative: [0] },
        features: [declared],
      },
      's',
    );
    const table = { source: 't.csv', header: ['n', 'y'], rows: rows.map((n) => [n, '1']) };
    return encodeTable(schema, { ...table, images: new Map([['x.idx', images]]) }).shard;
  };

  test.each(['unit', 'symmetric'] as const)('have the pixels that numpy reads, %s', (scaling) => {
    const { features, numFeatures } = encode(['2', '0'], { ...image, scaling });
    expect(numFeatures).toBe(8);
    vectors.images[scaling].flat().forEach((value, index) => {
      expect(features[index]).toBeCloseTo(value, 6);
    });
  });

  test('a header of another type, shape or length is refused', () => {
    for (const bytes of [patched(0, 1), patched(2, 0x0d), patched(3, 1), patched(3, 4)])
      expect(() => parseIdxImages(bytes, 'x.idx')).toThrow(
        invalid(/^x\.idx .*found the first bytes .*00000803/),
      );
    expect(() => parseIdxImages(patched(7, 0), 'x.idx')).toThrow(invalid(/0 images of 2 x 4/));
    expect(() => parseIdxImages(patched(7, 4), 'x.idx')).toThrow(invalid(/found 24 bytes.*expected 32/));
    expect(() => parseIdxImages(patched(4, 255), 'x.idx')).toThrow(invalid(/found 24 bytes/));
  });

  test('a file cut anywhere, or with a byte too many, is refused', () => {
    for (let length = 0; length < idx.length; length++)
      expect(() => parseIdxImages(idx.subarray(0, length), 'x.idx')).toThrow(invalid(/found \d+ bytes/));
    expect(() => parseIdxImages(Uint8Array.of(...idx, 0), 'x.idx')).toThrow(invalid(/found 25 bytes/));
  });

  test.each(['3', '-1', '0.5', '', 'x', '4294967296'])(
    'number "%s" of 3 is refused with its place',
    (cell) => {
      expect(() => encode(['0', cell])).toThrow(invalid(/^t\.csv, row 2, column "n": .*from 0 to 2/));
    },
  );

  test('another size than declared, or no file, is refused', () => {
    expect(() => encode(['0'], { ...image, height: 4, width: 2 })).toThrow(invalid(/2 x 4 .*expected 4 x 2/));
    expect(() => encode(['0'], { ...image, file: 'y.idx' })).toThrow(
      expect.objectContaining({ code: 'FILE_NOT_FOUND' }),
    );
  });

  test.each(['../x.idx', '/x.idx', '..', 'a/b', 'a\\b', ''])('a schema cannot name the file "%s"', (file) => {
    expect(() => encode(['0'], { ...image, file })).toThrow(
      expect.objectContaining({ code: 'DATA_SCHEMA_INVALID' }),
    );
  });
});

const characters = (text: object = {}, label: object = {}) => ({
  user: { column: 'u' },
  label: { type: 'next-character', column: 't', ...label },
  features: [{ type: 'characters', column: 't', window: 3, vocabulary: 'abc', ...text }],
});
const speeches = (...rows: string[][]): Table => ({ source: 't.csv', header: ['u', 't'], rows });

describe('text', () => {
  test('has the windows and next characters that Python cuts, in code points', () => {
    const { text, vocabulary, window, stride, windows, labels } = vectors.text;
    const schema = parseDataSchema(characters({ vocabulary, window, other: 'category' }, { stride }), 's');
    const { shard } = encodeTable(schema, speeches(['p', text]));
    expect([...shard.features]).toEqual(windows.flat());
    expect([...shard.labels]).toEqual(labels);
    const numCodes = Array.from(vocabulary).length + 1;
    expect(shard.numClasses).toBe(numCodes);
    const oneHot = parseDataSchema(
      characters({ vocabulary, window, other: 'category', encoding: 'one-hot' }, { stride }),
      's',
    );
    const spread = encodeTable(oneHot, speeches(['p', text])).shard;
    expect(spread.numFeatures).toBe(window * numCodes);
    const ones = windows.flat().flatMap((code, at) => (code === 0 ? [] : [at * numCodes + code - 1]));
    expect([...spread.features.keys()].filter((at) => spread.features[at] !== 0)).toEqual(ones);
    expect(new Set(spread.features)).toEqual(new Set([0, 1]));
  });

  test('every record continues its window, for any texts, strides and caps; users stay together', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 12 });
    const rows = fc.array(fc.tuple(fc.constantFrom('p', 'q'), text), { minLength: 1, maxLength: 6 });
    const small = fc.integer({ min: 1, max: 5 });
    fc.assert(
      fc.property(rows, small, small, (rows, stride, maxRecordsPerRow) => {
        const schema = parseDataSchema(characters({}, { stride, maxRecordsPerRow }), 's');
        const { shard } = encodeTable(schema, speeches(...rows));
        const expected = [...new Set(rows.map(([user]) => user))].map((user) =>
          rows
            .filter(([owner]) => owner === user)
            .flatMap(([, text]) =>
              [...text.split('').keys()]
                .filter((at) => at % stride === 0)
                .slice(0, maxRecordsPerRow)
                .map((at) => `___${text}`.slice(at, at + 4)),
            ),
        );
        const found = shard.userIds.map((_, user) =>
          Array.from({ length: shard.userOffsets[user + 1]! - shard.userOffsets[user]! }, (_, nth) => {
            const record = shard.userOffsets[user]! + nth;
            const codes = [...shard.features.subarray(record * 3, record * 3 + 3), shard.labels[record]! + 1];
            return codes.map((code) => '_abc'[code]).join('');
          }),
        );
        expect(found).toEqual(expected);
      }),
    );
  });

  test('names inputs by their distance, and counts classes without the padding', () => {
    const schema = parseDataSchema(characters(), 's');
    expect(featureNames(schema)).toEqual(['t -3', 't -2', 't -1']);
    expect(numClassesOf(schema)).toBe(3);
    const oneHot = parseDataSchema(characters({ window: 2, vocabulary: 'ab', encoding: 'one-hot' }), 's');
    expect(featureNames(oneHot)).toEqual(['t -2=a', 't -2=b', 't -1=a', 't -1=b']);
  });

  test('an unknown character and a missing text are refused with their place', () => {
    const schema = parseDataSchema(characters(), 's');
    expect(() => encodeTable(schema, speeches(['p', 'ab'], ['p', 'abz']))).toThrow(
      expect.objectContaining({
        code: 'DATA_UNKNOWN_CATEGORY',
        message: expect.stringMatching(/^t\.csv, row 2, column "t".*lacks "z" \(character 3\)/) as unknown,
      }),
    );
    expect(() => encodeTable(schema, speeches(['p', '']))).toThrow(invalid(/row 1, column "t": .*missing/));
  });

  test.each([
    ['a repeated character', characters({ vocabulary: 'aba' })],
    ['a window without its label', { ...characters(), label: { type: 'threshold', column: 'y', above: 0 } }],
    ['two windows', { ...characters(), features: [...characters().features, ...characters().features] }],
    ['a label of another column', characters({}, { column: 'v' })],
    [
      'the text as a class too',
      {
        ...characters(),
        features: [...characters().features, { type: 'set', column: 't', vocabulary: ['a'] }],
      },
    ],
  ])('a schema with %s is refused', (_, schema) => {
    expect(() => parseDataSchema(schema, 's')).toThrow(
      expect.objectContaining({ code: 'DATA_SCHEMA_INVALID' }),
    );
  });
});

describe('sets', () => {
  const encode = (cell: string, declared: object = {}) => {
    const feature = { type: 'set', column: 'n', vocabulary: ['milk', 'bread', 'beef'], ...declared };
    const label = { type: 'threshold', column: 'y', above: 0 };
    const schema = parseDataSchema({ user: 'row', label, features: [feature] }, 's');
    const table = { source: 't.csv', header: ['n', 'y'], rows: [[cell, '1']] };
    return [...encodeTable(schema, table).shard.features];
  };

  test('are one feature for each category, whatever the order and however often', () => {
    expect(encode('beef|milk|beef')).toEqual([1, 0, 1]);
    expect(encode('')).toEqual([0, 0, 0]);
    expect(encode('bread; tea', { separator: '; ', other: 'category' })).toEqual([0, 1, 0, 1]);
    expect(encode('bread|tea', { other: 'zero' })).toEqual([0, 1, 0]);
  });

  test('name the category that they do not know', () => {
    expect(() => encode('milk|tea')).toThrow(
      /column "n": found "milk\|tea", expected "tea" to be one of "milk"/,
    );
  });
});
