import { CsvError, type CsvErrorCode, type InfoField, parse } from 'csv-parse/sync';
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
  const bytes = Buffer.from(text);
  const reading: Reading = { place: startOf(bytes), fileHeader: [], columns: undefined, rows: [], lines: [] };
  const take = (fields: readonly string[], end: number): void => {
    if (reading.columns === undefined) {
      refuseRepeatedColumns(fields, options.source);
      reading.fileHeader = fields;
    } else reading.lines.push(reading.place.line);
    reading.columns ??= columnsOf(fields, options.columns);
    reading.rows.push(reading.columns.keep(fields));
    moveTo(reading.place, end);
  };
  try {
    parse(bytes, {
      ...strict,
      cast: loneReturn.test(text) && refuseLoneReturn,
      on_record: (fields: string[], { bytes: end }) => {
        take(fields, end);
        return null;
      },
    });
  } catch (error) {
    throw refusal(error, options.source, reading);
  }
  const [header, ...rows] = reading.rows;
  if (header === undefined)
    throw new ParleyError(
      'DATA_EMPTY',
      `${options.source} is empty: expected a header row of column names and one row for each record`,
    );
  const { fileHeader, lines } = reading;
  return { source: options.source, header, fileHeader, rows, lines: Int32Array.from(lines) };
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

interface Reading {
  readonly place: Place;
  /** All of its names; empty before it was read. */
  fileHeader: readonly string[];
  /** Known once the header row is. */
  columns: Columns | undefined;
  /** The header row and those after it, kept fields only. */
  readonly rows: string[][];
  readonly lines: number[];
}

/** Nothing is cast unless it must be: the library then hands every field on as it stands and builds nothing for it. */
const strict = { bom: true, record_delimiter: ['\n', '\r\n'], skip_empty_lines: true };

interface Columns {
  /** Fields of every record in the file. */
  readonly width: number;
  /** A record's kept fields, with one copy of each distinct value: tables repeat few values very often. */
  readonly keep: (fields: readonly string[]) => string[];
}

function columnsOf(header: readonly string[], wanted: readonly string[] | undefined): Columns {
  const kept = [...header.keys()].filter((index) => wanted?.includes(header[index] ?? '') ?? true);
  const seen = new Map<string, string>();
  const once = (field: string): string => {
    const known = seen.get(field);
    if (known !== undefined) return known;
    seen.set(field, field);
    return field;
  };
  return { width: header.length, keep: (fields) => kept.map((index) => once(fields[index] ?? '')) };
}

/** Where the next record starts: the library's own count takes a CRLF inside quotes for two lines. */
interface Place {
  readonly bytes: Buffer;
  at: number;
  line: number;
}

const lineFeed = 10;
const carriageReturn = 13;
const byteOrderMark = Buffer.from('\uFEFF');

function startOf(bytes: Buffer): Place {
  const place = { bytes, at: 0, line: 1 };
  const hasMark = bytes.subarray(0, byteOrderMark.length).equals(byteOrderMark);
  moveTo(place, hasMark ? byteOrderMark.length : 0);
  return place;
}

/** Move on to the first line from `end` that is not empty. */
function moveTo(place: Place, end: number): void {
  const { bytes } = place;
  let next = end;
  for (let length = emptyLine(bytes, next); length > 0; length = emptyLine(bytes, next)) next += length;
  let breakAt = bytes.indexOf(lineFeed, place.at);
  while (breakAt !== -1 && breakAt < next) {
    place.line += 1;
    breakAt = bytes.indexOf(lineFeed, breakAt + 1);
  }
  place.at = next;
}

/** Length of an empty line's break; 0 where the line is not empty. */
function emptyLine(bytes: Buffer, at: number): number {
  if (bytes[at] === lineFeed) return 1;
  return bytes[at] === carriageReturn && bytes[at + 1] === lineFeed ? 2 : 0;
}

const loneReturn = /\r(?!\n)/;
const misplacedText = 'found text or a carriage return where a comma or a line break ends a field';

/** The library takes a lone carriage return for text, where it may be the line break of another age. */
function refuseLoneReturn(field: string, { quoting }: InfoField): string {
  if (!quoting && field.includes('\r')) throw new CsvError('CSV_INVALID_CLOSING_QUOTE', misplacedText);
  return field;
}

/** What the library refused, in our words; its own error quotes the record, which is nobody's business. */
function refusal(error: unknown, source: string, { place, columns }: Reading): unknown {
  if (!(error instanceof CsvError)) return error;
  return new ParleyError(
    'DATA_VALUE_INVALID',
    `${source}, line ${place.line}: ${faultOf(error, columns?.width ?? 0)}; expected comma-separated values after RFC 4180; write the file again with a CSV library`,
  );
}

const faults: Partial<Record<CsvErrorCode, string>> = {
  INVALID_OPENING_QUOTE: 'found a quote inside a field that does not start with one',
  CSV_INVALID_CLOSING_QUOTE: misplacedText,
  CSV_QUOTE_NOT_CLOSED: 'a quoted field never ends',
};

function faultOf({ code, index }: CsvError, width: number): string {
  if (code === 'CSV_RECORD_INCONSISTENT_FIELDS_LENGTH')
    return `found ${Number(index)} fields, expected ${width} as in the header row; quote values that hold commas`;
  return faults[code] ?? `found what the CSV reader calls ${code}`;
}
