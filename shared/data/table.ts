import type { Images } from './idx.ts';

/** A table as its file writes it: every cell is text, nothing is interpreted. It never leaves the site. */
export interface Table {
  /** What the messages call the table: usually the file's path. */
  readonly source: string;
  readonly header: readonly string[];
  /** Names of all columns of the file, where not all of them were kept; as `header` when left out. */
  readonly fileHeader?: readonly string[];
  /** Shape (numRows, header.length). */
  readonly rows: readonly (readonly string[])[];
  /** Shape (numRows,): the line on which each row starts, from 1; absent where a file has no lines. */
  readonly lines?: Int32Array;
  /** The image files beside the table's that the schema names, by their names. */
  readonly images?: ReadonlyMap<string, Images>;
}

/** Where a row stands, for a message: `visits.csv, row 3 (line 4)`. Rows count from 1, without the header row. */
export function rowPlace(table: Table, row: number): string {
  const line = table.lines?.[row];
  return `${table.source}, row ${row + 1}${line === undefined ? '' : ` (line ${line})`}`;
}
