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
      `${table.source} has no column ${quotedList(missing)}: ${lookAlikes(missing, table)}the schema reads ${quotedList(needed)}, and the header row names ${namesOf(table)}; rename the columns in the file or in the schema`,
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

/** So many names of a header row stand in a message. */
const maxNames = 30;

function namesOf({ header, fileHeader = header }: Table): string {
  const more = fileHeader.length - maxNames;
  return `${quotedList(fileHeader.slice(0, maxNames))}${more > 0 ? ` and ${more} more` : ''}`;
}

/** Columns that lack nothing but the same case, or have spaces around their names; empty, or a clause of the message. */
function lookAlikes(missing: readonly string[], { header, fileHeader = header }: Table): string {
  const plain = (name: string): string => name.trim().toLowerCase();
  return missing
    .flatMap((wanted) => {
      const found = fileHeader.find((name) => plain(name) === plain(wanted));
      return found === undefined
        ? []
        : [`"${found}" differs from "${wanted}" only in case or surrounding spaces; `];
    })
    .join('');
}

function quotedList(names: readonly string[]): string {
  return names.map((name) => `"${name}"`).join(', ');
}
