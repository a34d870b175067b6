import { parse } from 'csv-parse/sync';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { formatCsv, parseCsv } from '../../../shared/data/csv.ts';

const cell = fc.string({
  unit: fc.constantFrom('a', '7', ' ', ',', '"', '\n', '\r\n', 'é', '?'),
  maxLength: 6,
});

const table = fc.integer({ min: 1, max: 5 }).chain((width) =>
  fc.record({
    header: fc.uniqueArray(cell, { minLength: width, maxLength: width }),
    rows: fc.array(fc.array(cell, { minLength: width, maxLength: width }), { maxLength: 8 }),
  }),
);

describe('reading CSV', () => {
  test('reads back what was written, whatever the cells hold', () => {
    fc.assert(
      fc.property(table, ({ header, rows }) => {
        const read = parseCsv(formatCsv({ header, rows }), { source: 't.csv' });
        expect(read.header).toEqual(header);
        expect(read.rows).toEqual(rows);
      }),
    );
  });

  test('agrees with csv-parse on every written table, with LF and with CRLF', () => {
    fc.assert(
      fc.property(table, fc.constantFrom('\n', '\r\n'), ({ header, rows }, lineBreak) => {
        const plain = [header, ...rows].map((cells) =>
          cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(','),
        );
        const text = plain.join(lineBreak);
        const read = parseCsv(text, { source: 't.csv' });
        expect([read.header, ...read.rows]).toEqual(parse(text, { record_delimiter: lineBreak }));
      }),
    );
  });

  test('agrees with csv-parse on unquoted cells, empty ones included', () => {
    const bare = fc.stringMatching(/^[a-z0-9 ?<>[)-]{0,5}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(bare, bare, bare), { maxLength: 9 }), (rows) => {
        const text = `\uFEFFx,y,z\n${rows.map((cells) => `${cells.join(',')}\n`).join('')}`;
        expect(parseCsv(text, { source: 't.csv' }).rows).toEqual(parse(text, { bom: true, from: 2 }));
      }),
    );
  });

  test('keeps only the columns asked for, in file order', () => {
    const read = parseCsv('a,b,c\n1,"2\n2",3\n4,5,6\n', { source: 't.csv', columns: ['c', 'a', 'absent'] });
    expect(read.header).toEqual(['a', 'c']);
    expect(read.rows).toEqual([
      ['1', '3'],
      ['4', '6'],
    ]);
  });

  test('knows the line on which a row starts, across quoted line breaks and empty lines', () => {
    const read = parseCsv('a,b\n"1\n1",2\n\n3,4\r\n5,6', { source: 't.csv' });
    expect([...(read.lines ?? [])]).toEqual([2, 5, 6]);
  });

  test('a header without rows is a table without rows', () => {
    expect(parseCsv('a,b\n', { source: 't.csv' }).rows).toEqual([]);
  });

  test.each([
    ['a,b\n1\n', 'DATA_VALUE_INVALID', /t\.csv, line 2: found 1 fields, expected 2/],
    ['a,b\n1,2\n1,2,3\n', 'DATA_VALUE_INVALID', /line 3: found 3 fields, expected 2/],
    ['a,b\n1,x"y\n', 'DATA_VALUE_INVALID', /line 2: found a quote inside a field/],
    ['a,b\n1,"x"y\n', 'DATA_VALUE_INVALID', /line 2: found text or a carriage return where a comma/],
    ['a,b\n1,2\r3,4\n', 'DATA_VALUE_INVALID', /line 2: found text or a carriage return/],
    ['a,b\n1,"x\n', 'DATA_VALUE_INVALID', /line 2: a quoted field never ends/],
    ['a,b,a\n1,2,3\n', 'DATA_VALUE_INVALID', /t\.csv: the header row names the column "a" twice/],
    ['', 'DATA_EMPTY', /t\.csv is empty: expected a header row/],
    ['\uFEFF\n\n', 'DATA_EMPTY', /t\.csv is empty/],
  ])('refuses %j', (text, code, message) => {
    const read = (): unknown => parseCsv(text, { source: 't.csv' });
    expect(read).toThrow(expect.objectContaining({ code }));
    expect(read).toThrow(message);
  });
});
