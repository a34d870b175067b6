import { type CategoryEncoder, categoryEncoder } from './category.ts';
import { featureEncoder, labelEncoder } from './encode-feature.ts';
import { groupByUser, type UserGroups } from './group-users.ts';
import {
  type DataSchema,
  featureNames,
  numClassesOf,
  type SubpopulationSchema,
  subpopulationName,
} from './schema.ts';
import type { Shard, SubpopulationColumn } from './shard.ts';
import { cellReader, refuse, type Source, sourceOf } from './source.ts';
import type { Table } from './table.ts';

/** A table as a shard, and where the schema's site column puts each user. */
export interface EncodedTable {
  readonly shard: Shard;
  /** Shape (numUsers,): the site column in the user's first kept record; all `''` where the schema declares none. */
  readonly siteKeys: readonly string[];
}

/**
 * Turn a table into a shard by the schema alone. `isOurs` leaves rows (from 0) to other sites, unread. Rows are grouped by
 * user, users in order of first appearance, records in row order; a row is one record, or several where the label is
 * `next-character`. Refuses the whole table at the first misfit: DATA_COLUMN_MISSING, DATA_VALUE_INVALID (not a finite number,
 * a missing value where none may be, no user id, a row of the wrong width, no such image, images of another size),
 * DATA_UNKNOWN_CATEGORY, DATA_EMPTY, or FILE_NOT_FOUND for image files that were not read.
 */
export function encodeTable(
  schema: DataSchema,
  table: Table,
  isOurs: (row: number) => boolean = () => true,
): EncodedTable {
  const source = sourceOf(schema, table);
  const users = groupByUser(source, isOurs);
  const numFeatures = featureNames(schema).length;
  const shard = {
    numFeatures,
    numClasses: numClassesOf(schema),
    features: encodeFeatures(source, users, numFeatures),
    labels: encodeLabels(source, users),
    userOffsets: users.offsets,
    userIds: users.ids,
    subpopulations: schema.subpopulations.map((declared) => encodeSubpopulation(source, users, declared)),
  };
  return { shard, siteKeys: siteKeys(source, users) };
}

/** Row by row: a large table's rows lie far apart, and each is fetched once. */
function encodeFeatures(source: Source, users: UserGroups, numFeatures: number): Float32Array {
  const { table } = source;
  const features = new Float32Array(users.rows.length * numFeatures);
  const columns = columnEncoders(source);
  users.rows.forEach((row, index) => {
    const [start, position] = [(users.records[index] ?? 0) * numFeatures, users.positions[index] ?? 0];
    for (const { column, cell, encode, offset } of columns) {
      const misfit = encode(cell(row), features, start + offset, position);
      if (misfit !== undefined) refuse(table, { row, column, text: cell(row) }, misfit);
    }
  });
  return features;
}

/** What each declared feature reads, how, and where its numbers stand in a record. */
function columnEncoders(source: Source) {
  const { schema, table } = source;
  let next = 0;
  return schema.features.map((feature) => {
    const offset = next;
    next += featureNames({ features: [feature] }).length;
    const { column } = feature;
    const encode = featureEncoder(feature, schema.missingMarkers, table.images);
    return { column, cell: cellReader(source, column), encode, offset };
  });
}

function encodeLabels(source: Source, users: UserGroups): Int32Array {
  const { schema, table } = source;
  const labels = new Int32Array(users.rows.length);
  const { column } = schema.label;
  const cell = cellReader(source, column);
  const encode = labelEncoder(schema);
  users.rows.forEach((row, index) => {
    const label = encode(cell(row), users.positions[index] ?? 0);
    if (typeof label !== 'number') return refuse(table, { row, column, text: cell(row) }, label);
    labels[users.records[index] ?? 0] = label;
  });
  return labels;
}

function encodeSubpopulation(
  source: Source,
  users: UserGroups,
  declared: SubpopulationSchema,
): SubpopulationColumn {
  const { schema, table } = source;
  const { column } = declared;
  const missingMarkers = declared.missingMarkers ?? schema.missingMarkers;
  const encoder: CategoryEncoder = categoryEncoder({ ...declared, missingMarkers });
  const cell = cellReader(source, column);
  const codes = users.firstRows.map((row) => {
    const code = encoder.code(cell(row));
    return typeof code === 'number' ? code : refuse(table, { row, column, text: cell(row) }, code);
  });
  return { column: subpopulationName(declared), vocabulary: encoder.names, codes };
}

function siteKeys(source: Source, users: UserGroups): readonly string[] {
  const { schema } = source;
  if (schema.site === undefined) return users.ids.map(() => '');
  const { column, vocabulary } = schema.site;
  const cell = cellReader(source, column);
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
