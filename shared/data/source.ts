import { ParleyError } from '../errors.ts';
import type { Misfit } from './category.ts';
import { columnsOf, type DataSchema } from './schema.ts';
import { rowPlace, type Table } from './table.ts';

/** A table, what it means, and where each column that the schema reads stands in a row. */
export interface Source {
  readonly schema: DataSchema;
  readonly table: Table;
  readonly columns: ReadonlyMap<string, number>;
}

/** A table with its schema's columns found. Throws DATA_COLUMN_MISSING. */
export function sourceOf(schema: DataSchema, table: Table): Source {
  const needed = columnsOf(schema);
  const missing = needed.filter((column) => !table.header.includes(column));
  if (missing.length > 0)
    throw new ParleyError(
      'DATA_COLUMN_MISSING',
      `${table.source} has no column ${quotedList(missing)}: the schema reads ${quotedList(needed)}, and the header row names ${quotedList(table.header)}; rename the columns in the file or in the schema`,
    );
  return {
    schema,
    table,
    columns: new Map(needed.map((column) => [column, table.header.indexOf(column)])),
  };
}

/** The text of a column's cell in a row, from 0. */
export function cellReader({ table, columns }: Source, column: string): (row: number) => string {
  const index = columns.get(column) ?? 0;
  return (row) => table.rows[row]?.[index] ?? '';
}

/** Refuse the whole table for one cell, with the misfit's code. */
export function refuse(
  table: Table,
  place: { readonly row: number; readonly column: string; readonly text: string },
  misfit: Misfit,
): never {
  const text = place.text.length > 40 ? `${place.text.slice(0, 40)}…` : place.text;
  throw new ParleyError(
    misfit.code,
    `${rowPlace(table, place.row)}, column "${place.column}": found "${text}", expected ${misfit.expected}; ${misfit.advice}`,
  );
}

function quotedList(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}
