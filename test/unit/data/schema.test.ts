import { describe, expect, test } from 'vitest';
import {
  columnsOf,
  featureNames,
  numClassesOf,
  numFeaturesOf,
  parseDataSchema,
} from '../../../shared/data/schema.ts';

const label = { type: 'binary', column: 'y', positive: [1], negative: [0] };
const age = { type: 'numeric', column: 'age', min: 0, max: 100 };
const base = { user: { column: 'id' }, label, features: [age] };

describe('a data schema', () => {
  test('names its features in the order in which a shard holds them', () => {
    const schema = parseDataSchema(
      {
        ...base,
        features: [
          { ...age, missing: 'indicator' },
          {
            type: 'categorical',
            column: 'ward',
            vocabulary: ['A', 2],
            other: 'category',
            missing: 'category',
          },
          {
            type: 'categorical',
            column: 'cp',
            vocabulary: [
              { name: 'low', ranges: [{ below: 2 }] },
              { name: 'high', values: [2, 'x'] },
            ],
            encoding: 'one-hot-without-first',
          },
        ],
      },
      's.yaml',
    );
    expect(featureNames(schema)).toEqual([
      'age',
      'age missing',
      'ward=A',
      'ward=2',
      'ward=other',
      'ward=missing',
      'cp=high',
    ]);
    expect(numFeaturesOf(schema)).toBe(7);
    expect(numClassesOf(schema)).toBe(2);
  });

  test('has one class for each word of a categorical label', () => {
    const categorical = { type: 'categorical', column: 'y', vocabulary: ['a', 'b', 'c'] };
    expect(numClassesOf(parseDataSchema({ ...base, label: categorical }, 's.yaml'))).toBe(3);
  });

  test('lists every column that it reads once', () => {
    const schema = parseDataSchema(
      {
        ...base,
        drop: [{ missingIn: ['age', 'z'] }, { column: 'w', values: ['x'] }],
        subpopulations: [{ column: 'sex', vocabulary: ['f', 'm'] }],
        site: { column: 'region' },
      },
      's.yaml',
    );
    expect(columnsOf(schema).sort()).toEqual(['age', 'id', 'region', 'sex', 'w', 'y', 'z']);
  });

  test.each([
    ['an unknown key', { ...base, feature: [] }, /s\.yaml is not a data schema: .*feature/],
    [
      'bounds in the wrong order',
      { ...base, features: [{ ...age, min: 9, max: 9 }] },
      /features\.0.*`min` must lie/,
    ],
    [
      'log1p of negative numbers',
      { ...base, features: [{ ...age, min: -1, transform: 'log1p' }] },
      /`log1p` needs `min` of at least 0/,
    ],
    [
      'a centre without a scale',
      { ...base, features: [{ ...age, scaling: { center: 3 } }] },
      /features\.0\.scaling/,
    ],
    ['one feature twice', { ...base, features: [age, age] }, /features: "age" stands here twice/],
    [
      'the label as a feature',
      { ...base, features: [{ ...age, column: 'y' }] },
      /the label's column "y" cannot/,
    ],
    [
      'one category twice',
      { ...base, features: [{ type: 'categorical', column: 'c', vocabulary: ['1', 1] }] },
      /the category "1" stands here twice/,
    ],
    [
      'a category named as the other one is',
      { ...base, features: [{ type: 'categorical', column: 'c', vocabulary: ['other'], other: 'category' }] },
      /"c=other" stands here twice/,
    ],
    [
      'a group of nothing',
      { ...base, features: [{ type: 'categorical', column: 'c', vocabulary: [{ name: 'g' }] }] },
      /features\.0\.vocabulary\.0/,
    ],
    [
      'a label of two meanings',
      { ...base, label: { ...label, negative: [0, 1] } },
      /both positive and negative/,
    ],
    [
      'a label of one class',
      { ...base, label: { type: 'categorical', column: 'y', vocabulary: ['a'] } },
      /label/,
    ],
    ['no features', { ...base, features: [] }, /features/],
    ['an infinite bound', { ...base, features: [{ ...age, max: Infinity }] }, /features\.0\.max/],
    ['nothing at all', undefined, /top level/],
  ])('refuses %s', (_, input, message) => {
    const parse = (): unknown => parseDataSchema(input, 's.yaml');
    expect(parse).toThrow(expect.objectContaining({ code: 'DATA_SCHEMA_INVALID' }));
    expect(parse).toThrow(message);
  });
});
