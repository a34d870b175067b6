import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { type EncodedTable, encodeTable } from '../shared/data/encode.ts';
import { hashedSite, selectUsers, spreadSite } from '../shared/data/partition.ts';
import { type DataSchema, dataSchemaOf } from '../shared/data/schema.ts';
import type { Shard } from '../shared/data/shard.ts';
import type { Table } from '../shared/data/table.ts';
import { assertNever, ParleyError } from '../shared/errors.ts';
import { readSchemaTable } from './read-table.ts';

const place = { sites: z.number().int().positive(), index: z.number().int().nonnegative() };
const isInPlace = ({ sites, index }: { sites: number; index: number }): boolean => index < sites;
const misplaced = '`index` counts from 0 and must lie under `sites`';

/**
 * What of a file belongs to this site, where several simulated sites share one file; without a rule, all does. `hash`
 * divides users by their id; `column` takes the users whose first record holds `value` in the schema's site column; `spread`
 * divides records by the number of their row, so that one person's records lie at several sites.
 */
export const SiteRule = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('hash'), ...place }).refine(isInPlace, misplaced),
  z.strictObject({ type: z.literal('column'), value: z.string() }),
  z.strictObject({ type: z.literal('spread'), ...place }).refine(isInPlace, misplaced),
]);
export type SiteRule = z.infer<typeof SiteRule>;

type UserRule = Exclude<SiteRule, { type: 'spread' }>;

/** What to load: the table, its schema, and the rule that says which users are this site's. */
export interface LoadShardOptions {
  readonly file: string;
  readonly schema: DataSchema;
  readonly site?: SiteRule;
  /** Another way to read the table than from the file each time: see {@link sharedReads}. */
  readonly read?: typeof readSchemaTable;
}

/**
 * A site's records, grouped by user. Throws what `readTable` and `encodeTable` throw, and DATA_EMPTY where the rule leaves
 * this site no user, DATA_SCHEMA_INVALID where it needs a site column that the schema does not declare.
 */
export async function loadShard({
  file,
  schema,
  site,
  read = readSchemaTable,
}: LoadShardOptions): Promise<Shard> {
  const table = await read(file, schema);
  if (site?.type === 'spread') return spreadShard(table, schema, site);
  const encoded = encodeTable(schema, table);
  if (site === undefined) return encoded.shard;
  const isOurs = membership(site, schema, encoded);
  const users = Int32Array.from(encoded.shard.userIds.keys()).filter(isOurs);
  if (users.length === 0)
    throw new ParleyError(
      'DATA_EMPTY',
      `${file} has no user for the site rule ${JSON.stringify(site)}: ${hint(site, encoded)}; correct the rule`,
    );
  return selectUsers(encoded.shard, users);
}

/** A table of records: the file, what it means, and what of it is meant where several sites share it. */
export const TableSource = z.strictObject({
  file: z.string(),
  schema: z.string(),
  site: SiteRule.optional(),
});
export type TableSource = z.infer<typeof TableSource>;

/** The shard of a source whose paths `at` resolves. Throws what {@link readDataSchema} and {@link loadShard} throw. */
export async function loadSource(
  { file, schema, site }: TableSource,
  at: (path: string) => string,
  read?: LoadShardOptions['read'],
): Promise<Shard> {
  const options = { file: at(file), schema: await readDataSchema(at(schema)) };
  return loadShard({ ...options, ...(site && { site }), ...(read && { read }) });
}

/**
 * Reads that simulated sites of one process share: whoever asks for a table while it is being read with the same schema gets
 * the same one. Nothing is kept once it is read, so a changed file is read again.
 */
export function sharedReads(read: typeof readSchemaTable = readSchemaTable): typeof readSchemaTable {
  const running = new Map<string, Promise<Table>>();
  return (file, schema) => {
    const key = JSON.stringify([file, schema]);
    const known = running.get(key);
    if (known !== undefined) return known;
    const reading = read(file, schema).finally(() => running.delete(key));
    running.set(key, reading);
    return reading;
  };
}

/** The share of a table whose records are spread over sites. */
function spreadShard(
  table: Table,
  schema: DataSchema,
  { sites, index }: Extract<SiteRule, { type: 'spread' }>,
): Shard {
  if (schema.user === 'row')
    throw new ParleyError(
      'DATA_SCHEMA_INVALID',
      'the site rule spreads the records of a user over sites, but by the schema every row is a user of its own; name the ' +
        'column that identifies the user',
    );
  return encodeTable(schema, table, (row) => spreadSite(row, sites) === index).shard;
}

/** Read and validate a YAML schema file. Throws FILE_NOT_FOUND and DATA_SCHEMA_INVALID. */
export async function readDataSchema(file: string): Promise<DataSchema> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new ParleyError(
      'FILE_NOT_FOUND',
      `${file} cannot be read: expected a data schema; check the path`,
      {
        cause,
      },
    );
  }
  return dataSchemaOf(text, file);
}

function membership(site: UserRule, schema: DataSchema, encoded: EncodedTable): (user: number) => boolean {
  switch (site.type) {
    case 'hash':
      return (user) => hashedSite(encoded.shard.userIds[user] ?? '', site.sites) === site.index;
    case 'column':
      if (schema.site === undefined)
        throw new ParleyError(
          'DATA_SCHEMA_INVALID',
          'the site rule goes by a column, but the schema declares no `site` column; add `site: {column: ...}` to it',
        );
      return (user) => encoded.siteKeys[user] === site.value;
    default:
      return assertNever(site);
  }
}

function hint(site: UserRule, { siteKeys }: EncodedTable): string {
  if (site.type === 'hash') return `expected at least ${site.sites} users or so in the file`;
  const keys = [...new Set(siteKeys)].slice(0, 12).map((key) => `"${key}"`);
  return `expected one of the site column's values, such as ${keys.join(', ')}`;
}
