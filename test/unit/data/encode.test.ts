import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { encodeTable } from '../../../shared/data/encode.ts';
import { numUsers } from '../../../shared/data/shard.ts';
import { base, encode, schemaOf } from './encoded.ts';

const feature = (declared: object, text: string): number[] => {
  const schema = schemaOf({ ...base, features: [{ column: 'x', ...declared }], subpopulations: [] });
  const table = { source: 'v.csv', header: ['id', 'x', 'y'], rows: [['u', text, 'no']] };
  return [...encodeTable(schema, table).shard.features];
};

describe('grouping by user', () => {
  test('gathers the rows of a user, users by first appearance and records by row', () => {
    const { shard } = encode('p,1,a,no,\nq,2,b,yes,\np,3,b,yes,\nr,4,a,no,\nq,5,a,no,\np,6,a,no,\n');
    expect(shard.userIds).toEqual(['p', 'q', 'r']);
    expect([...shard.userOffsets]).toEqual([0, 3, 5, 6]);
    expect([...shard.labels]).toEqual([0, 1, 0, 1, 0, 0]);
    const xs = [...shard.features].filter((_, index) => index % shard.numFeatures === 0);
    expect(xs.map((x) => Math.round((x + 1) * 5))).toEqual([1, 3, 6, 2, 5, 4]);
  });

  test("takes a user's subpopulation and site from the first kept record", () => {
    const schema = { ...base, drop: [{ column: 's', values: ['out'] }], site: { column: 's' } };
    const { shard, siteKeys } = encode(
      'p,1,a,no,out\np,1,b,no,N\nq,1,?,no,\np,1,a,no,S\nr,1,z,no,S\n',
      schema,
    );
    expect(shard.subpopulations).toEqual([
      { column: 'group', vocabulary: ['a', 'b', 'other', 'missing'], codes: Int32Array.of(1, 3, 2) },
    ]);
    expect(siteKeys).toEqual(['N', 'missing', 'S']);
  });

  test('names sites by a declared vocabulary', () => {
    const site = { column: 's', vocabulary: [{ name: 'north', prefixes: ['N'] }] };
    expect(encode('p,1,a,no,N2\nq,1,a,no,S\nr,1,a,no,?\n', { ...base, site }).siteKeys).toEqual([
      'north',
      'other',
      'missing',
    ]);
  });

  test('makes every row a user by its row number where the set has no user column', () => {
    const schema = { ...base, user: 'row', drop: [{ missingIn: ['x'] }] };
    const { shard } = encode('p,1,a,no,\np,?,a,no,\np,3,a,no,\n', schema);
    expect(shard.userIds).toEqual(['1', '3']);
    expect(numUsers(shard)).toBe(2);
  });

  test('any order of rows gives the same records to every user', () => {
    const row = fc.tuple(fc.constantFrom('p', 'q', 'r'), fc.integer({ min: 0, max: 10 }));
    fc.assert(
      fc.property(fc.array(row, { minLength: 1, maxLength: 20 }), (rows) => {
        const { shard } = encode(rows.map(([id, x]) => `${id},${x},a,no,\n`).join(''));
        shard.userIds.forEach((id, user) => {
          const [start, end] = [shard.userOffsets[user]!, shard.userOffsets[user + 1]!];
          const xs = Array.from(
            { length: end - start },
            (_, i) => shard.features[(start + i) * shard.numFeatures]!,
          );
          expect(xs.map((x) => Math.round((x + 1) * 5))).toEqual(
            rows.filter(([u]) => u === id).map(([, x]) => x),
          );
        });
        expect(shard.userOffsets.at(-1)).toBe(rows.length);
      }),
    );
  });
});

describe('preprocessing', () => {
  test('a record alone encodes as it does among others: no statistic of the rows is used', () => {
    const cell = fc.tuple(
      fc.constantFrom('0', '3.5', '1e9', '-4', '?'),
      fc.constantFrom('a', 'b', 'zz', '?'),
    );
    fc.assert(
      fc.property(fc.array(cell, { minLength: 1, maxLength: 15 }), (cells) => {
        const rows = cells.map(([x, c], index) => `u${index},${x},${c},no,\n`);
        const { shard } = encode(rows.join(''));
        rows.forEach((row, index) => {
          const alone = encode(row).shard;
          const among = shard.features.subarray(index * shard.numFeatures, (index + 1) * shard.numFeatures);
          expect(among).toEqual(alone.features);
        });
      }),
    );
  });

  test.each([
    ['bounds to [-1, 1]', {}, '2.5', [-0.5]],
    ['bounds to [0, 1]', { scaling: 'unit' }, '2.5', [0.25]],
    ['public centre and scale', { scaling: { center: 4, scale: 2 } }, '7', [1.5]],
    ['log1p before the bounds', { transform: 'log1p', scaling: 'unit' }, '3', [Math.log(4) / Math.log(11)]],
    ['clamping above', {}, '1e30', [1]],
    ['clamping below', {}, '-.5', [-1]],
    ['a literal', { literals: { '> 9': 9.5 }, scaling: 'unit' }, '> 9', [0.95]],
    ['a missing value as zero', { missing: 'zero' }, '?', [0]],
    ['a missing value as an indicator', { missing: 'indicator' }, '', [0, 1]],
    ['a present value beside an indicator', { missing: 'indicator' }, '10', [1, 0]],
    ["the column's own markers", { missing: 'indicator', missingMarkers: ['-1'] }, '-1', [0, 1]],
  ])('numbers: %s', (_, rules, text, expected) => {
    const found = feature({ type: 'numeric', min: 0, max: 10, ...rules }, text);
    expect(found).toEqual(expected.map(Math.fround));
  });

  const groups = [
    'V',
    { name: 'diabetes', ranges: [{ from: 250, below: 251 }] },
    { name: 'endocrine', values: ['thyroid'], ranges: [{ from: 240, below: 280 }] },
    { name: 'external', prefixes: ['E', 'V'] },
    { name: 'high', ranges: [{ from: 900 }] },
    8,
  ];
  test.each([
    ['V', [1, 0, 0, 0, 0, 0, 0]],
    ['250', [0, 1, 0, 0, 0, 0, 0]],
    ['250.99', [0, 1, 0, 0, 0, 0, 0]],
    ['251', [0, 0, 1, 0, 0, 0, 0]],
    ['thyroid', [0, 0, 1, 0, 0, 0, 0]],
    ['280', [0, 0, 0, 0, 0, 0, 1]],
    ['V57', [0, 0, 0, 1, 0, 0, 0]],
    ['1e5', [0, 0, 0, 0, 1, 0, 0]],
    ['8.0', [0, 0, 0, 0, 0, 1, 0]],
    ['Infinity', [0, 0, 0, 0, 0, 0, 1]],
    ['?', [0, 0, 0, 0, 0, 0, 0]],
  ])('categories: %s', (text, expected) => {
    const declared = { type: 'categorical', vocabulary: groups, other: 'category', missing: 'zero' };
    expect(feature(declared, text)).toEqual(expected);
    expect(feature({ ...declared, encoding: 'one-hot-without-first' }, text)).toEqual(expected.slice(1));
  });

  test('labels by threshold and by vocabulary', () => {
    const threshold = { type: 'threshold', column: 'x', above: 2 };
    const features = [{ type: 'categorical', column: 'c', vocabulary: ['a'] }];
    const rows = 'p,2,a,u,\nq,2.1,a,v,\nr,-7,a,w,\n';
    const of = (label: object) => encode(rows, { ...base, features, subpopulations: [], label }).shard;
    expect([...of(threshold).labels]).toEqual([0, 1, 0]);
    const categorical = of({ type: 'categorical', column: 'y', vocabulary: ['w', 'v', 'u'] });
    expect([...categorical.labels]).toEqual([2, 1, 0]);
    expect(categorical.numClasses).toBe(3);
  });
});
