import { readFile } from 'node:fs/promises';
import { encodeTable } from '../shared/data/encode.ts';
import type { DataSchema } from '../shared/data/schema.ts';
import type { Shard } from '../shared/data/shard.ts';
import { tableReader } from '../shared/data/table-reader.ts';

const { readSchemaTable } = tableReader(readFile);

/**
 * Records that the coordinator may have: public ones, or ones of people who agreed to it. CSV, gzipped CSV or Parquet.
 *
 * @throws FILE_NOT_FOUND, DATA_... as reading and encoding a site's table.
 */
export async function readPublicTable(file: string, schema: DataSchema): Promise<Shard> {
  return encodeTable(schema, await readSchemaTable(file, schema)).shard;
}
