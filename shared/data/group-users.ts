import { ParleyError } from '../errors.ts';
import { matcherOf } from './category.ts';
import type { DropRule } from './schema.ts';
import { cellReader, refuse, type Source } from './source.ts';
import { rowPlace } from './table.ts';

/** What becomes a record, and where it goes. */
export interface UserGroups {
  readonly ids: readonly string[];
  /** Shape (numUsers + 1,), as a shard's. */
  readonly offsets: Int32Array;
  /** Shape (numRecords,): kept row numbers in file order; a row of text stands as often as it has records. */
  readonly rows: Int32Array;
  /** Shape (numRecords,): the record's place in its row's text, in characters from 0; 0 where a row is one record. */
  readonly positions: Int32Array;
  /** Shape (numRecords,): the index of the record in the shard. */
  readonly records: Int32Array;
  /** Shape (numUsers,): the row of each user's first record. */
  readonly firstRows: Int32Array;
}

/**
 * The records of every user: users in order of first appearance, records in row order. Throws DATA_VALUE_INVALID for a row of
 * the wrong width or without a user id, DATA_EMPTY where no row is left.
 */
export function groupByUser(source: Source, isOurs: (row: number) => boolean): UserGroups {
  const { rows, positions } = recordsOf(source, keptRows(source, isOurs));
  const idOf = userIdReader(source);
  const userOf = new Map<string, number>();
  const firstRows: number[] = [];
  const owners = rows.map((row) => {
    const id = idOf(row);
    const known = userOf.get(id);
    if (known !== undefined) return known;
    userOf.set(id, firstRows.length);
    return firstRows.push(row) - 1;
  });
  const offsets = new Int32Array(firstRows.length + 1);
  for (const owner of owners) offsets[owner + 1] = (offsets[owner + 1] ?? 0) + 1;
  for (let user = 0; user < firstRows.length; user++)
    offsets[user + 1] = (offsets[user + 1] ?? 0) + (offsets[user] ?? 0);
  const next = offsets.slice();
  const records = owners.map((owner) => {
    const record = next[owner] ?? 0;
    next[owner] = record + 1;
    return record;
  });
  return {
    ids: [...userOf.keys()],
    offsets,
    rows,
    positions,
    records,
    firstRows: Int32Array.from(firstRows),
  };
}

/** One record for a row, or for every `stride`-th position of its text up to the public cap. At least one: a text without characters is refused later. */
function recordsOf(source: Source, kept: Int32Array): Pick<UserGroups, 'rows' | 'positions'> {
  const { label } = source.schema;
  if (label.type !== 'next-character') return { rows: kept, positions: new Int32Array(kept.length) };
  const cell = cellReader(source, label.column);
  const counts = kept.map((row) => {
    const positions = Math.ceil(Array.from(cell(row)).length / label.stride);
    return Math.min(Math.max(positions, 1), label.maxRecordsPerRow);
  });
  const numRecords = counts.reduce((sum, count) => sum + count, 0);
  const [rows, positions] = [new Int32Array(numRecords), new Int32Array(numRecords)];
  let record = 0;
  kept.forEach((row, index) => {
    const count = counts[index] ?? 0;
    rows.fill(row, record, record + count);
    for (let nth = 0; nth < count; nth++) positions[record++] = nth * label.stride;
  });
  return { rows, positions };
}

function keptRows({ schema, table, columns }: Source, isOurs: (row: number) => boolean): Int32Array {
  const drops = schema.drop.map((rule) => dropTest(rule, schema.missingMarkers, columns));
  const kept: number[] = [];
  table.rows.forEach((cells, row) => {
    if (!isOurs(row)) return;
    if (cells.length !== table.header.length)
      throw new ParleyError(
        'DATA_VALUE_INVALID',
        `${rowPlace(table, row)}: found ${cells.length} values, expected ${table.header.length} as in the header row; correct the row`,
      );
    if (!drops.some((isDropped) => isDropped(cells))) kept.push(row);
  });
  if (kept.length === 0)
    throw new ParleyError(
      'DATA_EMPTY',
      `${table.source} gives no record: found ${table.rows.length} rows, of which the site rule, if any, and the schema's drop rules leave 0; expected at least one; check the file and the rules`,
    );
  return Int32Array.from(kept);
}

function dropTest(
  rule: DropRule,
  missingMarkers: readonly string[],
  columns: ReadonlyMap<string, number>,
): (cells: readonly string[]) => boolean {
  if ('missingIn' in rule) {
    const indices = rule.missingIn.map((column) => columns.get(column) ?? 0);
    return (cells) => indices.some((index) => missingMarkers.includes(cells[index] ?? ''));
  }
  const index = columns.get(rule.column) ?? 0;
  const matches = matcherOf(rule);
  return (cells) => matches(cells[index] ?? '');
}

function userIdReader(source: Source): (row: number) => string {
  const { schema, table } = source;
  if (schema.user === 'row') return (row) => String(row + 1);
  const { column } = schema.user;
  const cell = cellReader(source, column);
  return (row) => {
    const id = cell(row);
    if (schema.missingMarkers.includes(id))
      refuse(
        table,
        { row, column, text: id },
        {
          code: 'DATA_VALUE_INVALID',
          expected: 'the identifier of a user',
          advice:
            'a record without its user cannot be protected: fill it in, or drop such rows with a `drop` rule',
        },
      );
    return id;
  };
}
