import { describe, expect, test } from 'vitest';
import { encodeTable } from '../../../shared/data/encode.ts';
import { base, encode, schemaOf } from './encoded.ts';

describe('refusals', () => {
  const numeric = {
    ...base,
    features: [{ type: 'numeric', column: 'x', min: 0, max: 10 }],
    subpopulations: [],
  };
  const strict = { ...numeric, features: [{ ...numeric.features[0], outside: 'refuse' }] };
  const categorical = {
    ...base,
    features: [{ type: 'categorical', column: 'c', vocabulary: ['a', 'b'] }],
    subpopulations: [],
  };
  const group = { ...numeric, subpopulations: [{ column: 'c', vocabulary: ['a'] }] };
  const place = /^v\.csv, row 2 \(line 3\), column/;

  test.each([
    [
      'text',
      numeric,
      'q,abc,a,no,',
      [
        'DATA_VALUE_INVALID',
        /"x": found "abc", expected a finite decimal number from 0 to 10; correct/,
      ] as const,
    ],
    ['not a number', numeric, 'q,NaN,a,no,', ['DATA_VALUE_INVALID', /found "NaN"/] as const],
    ['infinity', numeric, 'q,Infinity,a,no,', ['DATA_VALUE_INVALID', /found "Infinity"/] as const],
    ['an overflow', numeric, 'q,1e999,a,no,', ['DATA_VALUE_INVALID', /found "1e999"/] as const],
    ['hexadecimal', numeric, 'q,0x10,a,no,', ['DATA_VALUE_INVALID', /found "0x10"/] as const],
    ['a space', numeric, 'q, 1,a,no,', ['DATA_VALUE_INVALID', /found " 1"/] as const],
    [
      'out of strict bounds',
      strict,
      'q,10.5,a,no,',
      ['DATA_VALUE_INVALID', /found "10.5", expected .* from 0 to 10/] as const,
    ],
    [
      'a missing number',
      numeric,
      'q,?,a,no,',
      ['DATA_VALUE_INVALID', /found "\?", .*no missing value; say what/] as const,
    ],
    [
      'an unknown category',
      categorical,
      'q,1,z,no,',
      ['DATA_UNKNOWN_CATEGORY', /"c": found "z", expected one of "a", "b"; add/] as const,
    ],
    ['a missing category', categorical, 'q,1,,no,', ['DATA_VALUE_INVALID', /"c": found ""/] as const],
    [
      'an unknown label',
      numeric,
      'q,1,a,maybe,',
      ['DATA_UNKNOWN_CATEGORY', /"y": found "maybe", expected one of "no", "yes"; every record/] as const,
    ],
    ['a missing label', numeric, 'q,1,a,?,', ['DATA_VALUE_INVALID', /"y": found "\?"/] as const],
    [
      'no user',
      numeric,
      '?,1,a,no,',
      ['DATA_VALUE_INVALID', /"id": found "\?", expected the identifier of a user/] as const,
    ],
    [
      'an undeclared subpopulation',
      group,
      'q,1,z,no,',
      ['DATA_UNKNOWN_CATEGORY', /"c": found "z", expected one of "a"/] as const,
    ],
  ])('%s', (_, schema, row, [code, message]) => {
    const attempt = (): unknown => encode(`p,1,a,no,\n${row}\n`, schema);
    expect(attempt).toThrow(expect.objectContaining({ code }));
    expect(attempt).toThrow(place);
    expect(attempt).toThrow(message);
  });

  test('a missing column, with the names found and expected', () => {
    const attempt = (): unknown =>
      encodeTable(schemaOf(base), { source: 'v.csv', header: ['id', 'X', 'c'], rows: [] });
    expect(attempt).toThrow(expect.objectContaining({ code: 'DATA_COLUMN_MISSING' }));
    expect(attempt).toThrow(/v\.csv has no column "y", "x": .*header row names "id", "X", "c"; rename/);
  });

  test('no rows, and none left by the drop rules', () => {
    expect(() => encode('')).toThrow(expect.objectContaining({ code: 'DATA_EMPTY' }));
    const drop = [{ column: 'c', values: ['a'] }];
    expect(() => encode('p,1,a,no,\n', { ...base, drop })).toThrow(
      /found 1 rows, of which .* drop rules leave 0/,
    );
  });

  test('a row of the wrong width, where the table does not come from a file', () => {
    const table = { source: 'rows', header: ['id', 'x', 'c', 'y'], rows: [['p', '1']] };
    expect(() => encodeTable(schemaOf(base), table)).toThrow(/rows, row 1: found 2 values, expected 4/);
  });

  test('a long value is cut in the message', () => {
    expect(() => encode(`p,${'9'.repeat(400)},a,no,\n`)).toThrow(/found "9{40}…"/);
  });
});
