import { inspect } from 'node:util';
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

  test('reads every cell of a table with all cells quoted, with LF and with CRLF', () => {
    fc.assert(
      fc.property(table, fc.constantFrom('\n', '\r\n'), ({ header, rows }, lineBreak) => {
        const written = [header, ...rows].map((cells) =>
          cells.map((text) => `"${text.replaceAll('"', '""')}"`).join(','),
        );
        const read = parseCsv(written.join(lineBreak), { source: 't.csv' });
        expect([read.header, ...read.rows]).toEqual([header, ...rows]);
      }),
    );
  });

  test('reads every cell without quotes as it stands, spaces and empty ones included', () => {
    const bare = fc.stringMatching(/^[a-z0-9 ?<>[)-]{0,5}$/);
    fc.assert(
      fc.property(fc.array(fc.tuple(bare, bare, bare), { maxLength: 9 }), (rows) => {
        const text = `\uFEFFx,y,z\n${rows.map((cells) => `${cells.join(',')}\n`).join('')}`;
        expect(parseCsv(text, { source: 't.csv' }).rows).toEqual(rows);
      }),
    );
  });

  // RFC 4180, section 2, items 5 to 7.
  test.each([
    ['"aaa","bbb","ccc"\r\nzzz,yyy,xxx', ['aaa', 'bbb', 'ccc'], ['zzz', 'yyy', 'xxx']],
    ['"aaa","b\r\nbb","ccc"\r\nzzz,yyy,xxx', ['aaa', 'b\r\nbb', 'ccc'], ['zzz', 'yyy', 'xxx']],
    ['zzz,yyy,xxx\r\n"aaa","b""bb","ccc"', ['zzz', 'yyy', 'xxx'], ['aaa', 'b"bb', 'ccc']],
  ])('reads %j as RFC 4180 has it', (text, header, row) => {
    expect(parseCsv(text, { source: 't.csv' })).toMatchObject({ header, rows: [row] });
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
    const read = parseCsv('\n\r\na,b\n"1\n1",2\n\n3,"4\r\n4\r"\r\n5,6', { source: 't.csv' });
    expect([...(read.lines ?? [])]).toEqual([4, 7, 9]);
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
    ['a\n1\r2\n', 'DATA_VALUE_INVALID', /line 2: found text or a carriage return/],
    ['a,b\n"\r\n",1\n1,"x\n', 'DATA_VALUE_INVALID', /line 4: a quoted field never ends/],
    ['a,b\n1,"x\n', 'DATA_VALUE_INVALID', /line 2: a quoted field never ends/],
    ['a,b,a\n1,2,3\n', 'DATA_VALUE_INVALID', /t\.csv: the header row names the column "a" twice/],
    ['', 'DATA_EMPTY', /t\.csv is empty: expected a header row/],
    ['\uFEFF\n\n', 'DATA_EMPTY', /t\.csv is empty/],
  ])('refuses %j', (text, code, message) => {
    const read = (): unknown => parseCsv(text, { source: 't.csv' });
    expect(read).toThrow(expect.objectContaining({ code }));
    expect(read).toThrow(message);
  });

  test('a refusal quotes no cell of the file, whoever prints it', () => {
    const refusals: unknown[] = [];
    try {
      parseCsv('a,b\nsecret,"2"secret\n', { source: 't.csv' });
    } catch (error) {
      refusals.push(error);
    }
    expect(inspect(refusals)).toMatch(/line 2/);
    expect(inspect(refusals)).not.toMatch(/secret/);
  });
});
