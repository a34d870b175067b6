import { ParleyError } from '../errors.ts';
import type { Table } from './table.ts';

/**
 * Comma-separated tables after RFC 4180: LF or CRLF, fields quoted with `"`, a quote inside doubled. Read strictly, since a
 * shifted column would train on the wrong values without a sign.
 */

/** How to read a table: `source` names it in messages; `columns` keeps only these, in file order (the rest is skipped). */
export interface CsvOptions {
  readonly source: string;
  readonly columns?: readonly string[];
}

/**
 * The table in `text`; the first record is the header row, a byte order mark and empty lines are skipped. Columns asked
 * for but absent are left to the schema to miss. Throws DATA_EMPTY without a header row and DATA_VALUE_INVALID on a stray
 * quote, a lone carriage return, an unfinished quoted field, a row of the wrong width or a repeated column name.
 */
export function parseCsv(text: string, options: CsvOptions): Table {
  const cursor = startOf(text, options.source);
  const header = readRecord(cursor, undefined);
  if (header === undefined)
    throw new ParleyError(
      'DATA_EMPTY',
      `${options.source} is empty: expected a header row of column names and one row for each record`,
    );
  refuseRepeatedColumns(header, options.source);
  const keep = header.map((column) => options.columns?.includes(column) ?? true);
  const rows: string[][] = [];
  const lines: number[] = [];
  for (let row = readRecord(cursor, keep); row !== undefined; row = readRecord(cursor, keep)) {
    rows.push(row);
    lines.push(cursor.recordLine);
  }
  return {
    source: options.source,
    header: header.filter((_, index) => keep[index]),
    rows,
    lines: Int32Array.from(lines),
  };
}

/** The table as RFC 4180 text with LF, a header row and a final line break; reading it back gives the same cells. */
export function formatCsv(table: Pick<Table, 'header' | 'rows'>): string {
  const record = (cells: readonly string[]): string => {
    const line = cells.map(quoted).join(',');
    return line === '' ? '""' : line;
  };
  return `${[table.header, ...table.rows].map(record).join('\n')}\n`;
}

/** Refuse a header that names one column twice, since which of the two was meant is anyone's guess: DATA_VALUE_INVALID. */
export function refuseRepeatedColumns(header: readonly string[], source: string): void {
  const repeated = header.find((column, index) => header.indexOf(column) !== index);
  if (repeated !== undefined)
    throw new ParleyError(
      'DATA_VALUE_INVALID',
      `${source}: the header row names the column "${repeated}" twice; expected every name once; rename one of them`,
    );
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell;
}

interface Cursor {
  readonly text: string;
  readonly source: string;
  /** One copy of each distinct value: tables repeat few values very often. */
  readonly seen: Map<string, string>;
  at: number;
  line: number;
  recordLine: number;
}

const quote = 34;
const comma = 44;
const lineFeed = 10;
const carriageReturn = 13;
const byteOrderMark = 0xfeff;

function startOf(text: string, source: string): Cursor {
  const at = text.charCodeAt(0) === byteOrderMark ? 1 : 0;
  return { text, source, seen: new Map(), at, line: 1, recordLine: 1 };
}

/** The next record's kept fields, all of them where `keep` is undefined; undefined at the end of the text. */
function readRecord(cursor: Cursor, keep: readonly boolean[] | undefined): string[] | undefined {
  while (skipEmptyLine(cursor));
  if (cursor.at >= cursor.text.length) return undefined;
  cursor.recordLine = cursor.line;
  const fields: string[] = [];
  let width = 0;
  do {
    const field = readField(cursor, keep === undefined || keep[width] === true);
    if (field !== undefined) fields.push(field);
    width += 1;
  } while (nextField(cursor));
  if (keep !== undefined && width !== keep.length)
    refuse(
      cursor,
      `found ${width} fields, expected ${keep.length} as in the header row; quote values that hold commas`,
    );
  return fields;
}

function skipEmptyLine(cursor: Cursor): boolean {
  const first = cursor.text.charCodeAt(cursor.at);
  const length =
    first === lineFeed
      ? 1
      : first === carriageReturn && cursor.text.charCodeAt(cursor.at + 1) === lineFeed
        ? 2
        : 0;
  cursor.at += length;
  if (length > 0) cursor.line += 1;
  return length > 0;
}

/** Steps over what ends a field; true when another field of the same record follows. */
function nextField(cursor: Cursor): boolean {
  const { text } = cursor;
  if (cursor.at >= text.length) return false;
  if (text.charCodeAt(cursor.at) === comma) {
    cursor.at += 1;
    return true;
  }
  if (!skipEmptyLine(cursor))
    refuse(cursor, 'found text or a carriage return where a comma or a line break ends a field');
  return false;
}

/** One field, left standing before its comma or line break; undefined when it is not kept. */
function readField(cursor: Cursor, keep: boolean): string | undefined {
  if (cursor.text.charCodeAt(cursor.at) === quote) {
    const field = readQuoted(cursor);
    return keep ? intern(cursor, field) : undefined;
  }
  const { text } = cursor;
  const start = cursor.at;
  let at = start;
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === comma || code === lineFeed || code === carriageReturn) break;
    if (code === quote) refuse(cursor, 'found a quote inside a field that does not start with one');
  }
  cursor.at = at;
  return keep ? intern(cursor, text.slice(start, at)) : undefined;
}

function readQuoted(cursor: Cursor): string {
  const { text } = cursor;
  const start = cursor.at + 1;
  let end = text.indexOf('"', start);
  while (end !== -1 && text.charCodeAt(end + 1) === quote) end = text.indexOf('"', end + 2);
  if (end === -1) refuse(cursor, 'a quoted field never ends');
  const inside = text.slice(start, end);
  for (let at = inside.indexOf('\n'); at !== -1; at = inside.indexOf('\n', at + 1)) cursor.line += 1;
  cursor.at = end + 1;
  return inside.replaceAll('""', '"');
}

function intern(cursor: Cursor, field: string): string {
  const known = cursor.seen.get(field);
  if (known !== undefined) return known;
  cursor.seen.set(field, field);
  return field;
}

function refuse(cursor: Cursor, what: string): never {
  throw new ParleyError(
    'DATA_VALUE_INVALID',
    `${cursor.source}, line ${cursor.recordLine}: ${what}; expected comma-separated values after RFC 4180; write the file again with a CSV library`,
  );
}
