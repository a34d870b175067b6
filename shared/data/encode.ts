import { ParleyError } from '../errors.ts';
import { type CategoryEncoder, categoryEncoder, type Misfit, matcherOf } from './category.ts';
import { featureEncoder, labelEncoder } from './encode-feature.ts';
import {
  columnsOf,
  type DataSchema,
  type DropRule,
  featureNames,
  numClassesOf,
  type SubpopulationSchema,
  subpopulationName,
} from './schema.ts';
import type { Shard, SubpopulationColumn } from './shard.ts';
import { rowPlace, type Table } from './table.ts';

/** A table as a shard, and where the schema's site column puts each user. */
export interface EncodedTable {
  readonly shard: Shard;
  /** Shape (numUsers,): the site column in the user's first kept record; all `''` where the schema declares none. */
  readonly siteKeys: readonly string[];
}

/**
 * Turn a table into a shard by the schema alone. `isOurs` leaves rows (from 0) to other sites, unread. Rows are grouped by user, users in order of first appearance, records in
 * row order. Refuses the whole table at the first misfit: DATA_COLUMN_MISSING, DATA_VALUE_INVALID (not a finite number, a
 * missing value where none may be, no user id, a row of the wrong width), DATA_UNKNOWN_CATEGORY, or DATA_EMPTY.
 */
export function encodeTable(
  schema: DataSchema,
  table: Table,
  isOurs: (row: number) => boolean = () => true,
): EncodedTable {
  const columns = columnIndices(schema, table);
  const users = groupByUser({ schema, table, columns }, isOurs);
  const numFeatures = featureNames(schema).length;
  const shard = {
    numFeatures,
    numClasses: numClassesOf(schema),
    features: encodeFeatures({ schema, table, columns }, users, numFeatures),
    labels: encodeLabels({ schema, table, columns }, users),
    userOffsets: users.offsets,
    userIds: users.ids,
    subpopulations: schema.subpopulations.map((declared) =>
      encodeSubpopulation({ schema, table, columns }, users, declared),
    ),
  };
  return { shard, siteKeys: siteKeys({ schema, table, columns }, users) };
}

interface Source {
  readonly schema: DataSchema;
  readonly table: Table;
  readonly columns: ReadonlyMap<string, number>;
}

/** Kept rows and where their records go. */
interface UserGroups {
  readonly ids: readonly string[];
  readonly offsets: Int32Array;
  /** Shape (numRecords,): kept row numbers in file order, and the record that each becomes. */
  readonly rows: Int32Array;
  readonly records: Int32Array;
  /** Shape (numUsers,): the row of each user's first record. */
  readonly firstRows: Int32Array;
}

function columnIndices(schema: DataSchema, table: Table): ReadonlyMap<string, number> {
  const needed = columnsOf(schema);
  const missing = needed.filter((column) => !table.header.includes(column));
  if (missing.length > 0)
    throw new ParleyError(
      'DATA_COLUMN_MISSING',
      `${table.source} has no column ${quotedList(missing)}: the schema reads ${quotedList(needed)}, and the header row names ${quotedList(table.header)}; rename the columns in the file or in the schema`,
    );
  return new Map(needed.map((column) => [column, table.header.indexOf(column)]));
}

function groupByUser(source: Source, isOurs: (row: number) => boolean): UserGroups {
  const rows = keptRows(source, isOurs);
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
  return { ids: [...userOf.keys()], offsets, rows, records, firstRows: Int32Array.from(firstRows) };
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

function userIdReader({ schema, table, columns }: Source): (row: number) => string {
  if (schema.user === 'row') return (row) => String(row + 1);
  const { column } = schema.user;
  const cell = cellReader(table, columns, column);
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

function encodeFeatures(
  { schema, table, columns }: Source,
  users: UserGroups,
  numFeatures: number,
): Float32Array {
  const features = new Float32Array(users.rows.length * numFeatures);
  let start = 0;
  for (const feature of schema.features) {
    const cell = cellReader(table, columns, feature.column);
    const encode = featureEncoder(feature, schema.missingMarkers);
    users.rows.forEach((row, index) => {
      const misfit = encode(cell(row), features, (users.records[index] ?? 0) * numFeatures + start);
      if (misfit !== undefined) refuse(table, { row, column: feature.column, text: cell(row) }, misfit);
    });
    start += featureNames({ features: [feature] }).length;
  }
  return features;
}

function encodeLabels({ schema, table, columns }: Source, users: UserGroups): Int32Array {
  const labels = new Int32Array(users.rows.length);
  const { column } = schema.label;
  const cell = cellReader(table, columns, column);
  const encode = labelEncoder(schema);
  users.rows.forEach((row, index) => {
    const label = encode(cell(row));
    if (typeof label !== 'number') return refuse(table, { row, column, text: cell(row) }, label);
    labels[users.records[index] ?? 0] = label;
  });
  return labels;
}

function encodeSubpopulation(
  { schema, table, columns }: Source,
  users: UserGroups,
  declared: SubpopulationSchema,
): SubpopulationColumn {
  const { column } = declared;
  const missingMarkers = declared.missingMarkers ?? schema.missingMarkers;
  const encoder: CategoryEncoder = categoryEncoder({ ...declared, missingMarkers });
  const cell = cellReader(table, columns, column);
  const codes = users.firstRows.map((row) => {
    const code = encoder.code(cell(row));
    return typeof code === 'number' ? code : refuse(table, { row, column, text: cell(row) }, code);
  });
  return { column: subpopulationName(declared), vocabulary: encoder.names, codes };
}

function siteKeys({ schema, table, columns }: Source, users: UserGroups): readonly string[] {
  if (schema.site === undefined) return users.ids.map(() => '');
  const { column, vocabulary } = schema.site;
  const cell = cellReader(table, columns, column);
  const { missingMarkers } = schema;
  const texts = Array.from(users.firstRows, cell);
  if (vocabulary === undefined)
    return texts.map((text) => (missingMarkers.includes(text) ? 'missing' : text));
  const { names, code } = categoryEncoder({
    vocabulary,
    other: 'category',
    missing: 'category',
    missingMarkers,
  });
  return texts.map((text) => {
    const found = code(text);
    return typeof found === 'number' ? (names[found] ?? 'other') : 'other';
  });
}

function cellReader(
  table: Table,
  columns: ReadonlyMap<string, number>,
  column: string,
): (row: number) => string {
  const index = columns.get(column) ?? 0;
  return (row) => table.rows[row]?.[index] ?? '';
}

function refuse(
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
