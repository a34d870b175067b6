import { labelEncoder } from './encode-feature.ts';
import { groupByUser } from './group-users.ts';
import { charactersOf, type DataSchema } from './schema.ts';
import { cellReader, refuse, sourceOf } from './source.ts';
import type { Table } from './table.ts';

/** A user's records as their cells say them, to be asked about at an endpoint. */
export interface NamedUser {
  readonly id: string;
  /** Cells by the columns of the features. */
  readonly records: readonly Readonly<Record<string, string>>[];
  /** Class indices, shape (numRecords,). */
  readonly labels: readonly number[];
}

/**
 * Every user of a table with records and labels in the order of `encodeTable`. Where the label is a text's next character, a
 * record is the text before it. Throws what `encodeTable` throws of users and labels.
 */
export function namedUsers(schema: DataSchema, table: Table): NamedUser[] {
  const source = sourceOf(schema, table);
  const { ids, offsets, rows, positions, records } = groupByUser(source, () => true);
  const columns = [...new Set(schema.features.map(({ column }) => column))];
  const cells = columns.map((column) => cellReader(source, column));
  const labelCell = cellReader(source, schema.label.column);
  const encode = labelEncoder(schema);
  const textColumn = charactersOf(schema)?.column;
  const named: Record<string, string>[] = [];
  const labels: number[] = [];
  rows.forEach((row, index) => {
    const at = records[index] ?? 0;
    const position = positions[index] ?? 0;
    const text = labelCell(row);
    const label = encode(text, position);
    labels[at] =
      typeof label === 'number' ? label : refuse(table, { row, column: schema.label.column, text }, label);
    named[at] = Object.fromEntries(
      columns.map((column, of) => {
        const cell = cells[of]?.(row) ?? '';
        return [column, column === textColumn ? Array.from(cell).slice(0, position).join('') : cell];
      }),
    );
  });
  return ids.map((id, user) => {
    const [start, end] = [offsets[user] ?? 0, offsets[user + 1] ?? 0];
    return { id, records: named.slice(start, end), labels: labels.slice(start, end) };
  });
}
