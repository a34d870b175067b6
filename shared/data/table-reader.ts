import { constants, isUtf8 } from 'node:buffer';
import { dirname, join } from 'node:path';
import { parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { ParleyError } from '../errors.ts';
import { parseCsv, refuseRepeatedColumns } from './csv.ts';
import { type Images, parseIdxImages } from './idx.ts';
import { damaged, type ReadFile, readBytes } from './read-bytes.ts';
import { columnsOf, type DataSchema } from './schema.ts';
import type { Table } from './table.ts';

/** Reads tables of records, from files that it is given a way to reach. */
export interface TableReader {
  /**
   * Comma-separated values (RFC 4180, UTF-8), plain or gzipped, or Parquet; told apart by the file's first bytes, not by its
   * name. With `columns`, only those are kept in memory. Throws FILE_NOT_FOUND, DATA_EMPTY, and DATA_VALUE_INVALID when the
   * file is damaged, not UTF-8 or not a table.
   */
  readonly readTable: (file: string, columns?: readonly string[]) => Promise<Table>;
  /**
   * What a schema reads: the table, and the image files that it names, from the table's folder. Throws what `readTable` and
   * `parseIdxImages` throw.
   */
  readonly readSchemaTable: (file: string, schema: DataSchema) => Promise<Table>;
}

/** A reader of tables in files that `read` reaches. */
export function tableReader(read: ReadFile): TableReader {
  const readTable: TableReader['readTable'] = async (file, columns) => {
    const bytes = await readBytes(file, 'a CSV, gzipped CSV or Parquet file', read);
    const isParquet = bytes.subarray(0, parquetMagic.length).equals(parquetMagic);
    if (isParquet) return readParquet(file, bytes, columns);
    return parseCsv(decode(file, bytes), { source: file, ...(columns && { columns }) });
  };
  return {
    readTable,
    readSchemaTable: async (file, schema) => {
      const names = schema.features.flatMap((feature) => (feature.type === 'image' ? [feature.file] : []));
      const [table, ...images] = await Promise.all([
        readTable(file, columnsOf(schema)),
        ...[...new Set(names)].map((name) => readImages(file, name, read)),
      ]);
      return images.length === 0 ? table : { ...table, images: new Map(images) };
    },
  };
}

async function readImages(table: string, name: string, read: ReadFile): Promise<readonly [string, Images]> {
  const file = join(dirname(table), name);
  const bytes = await readBytes(file, 'an IDX file of images, plain or gzipped', read);
  return [name, parseIdxImages(bytes, file)];
}

const parquetMagic = Buffer.from('PAR1');

function decode(file: string, bytes: Buffer): string {
  if (!isUtf8(bytes))
    throw new ParleyError(
      'DATA_VALUE_INVALID',
      `${file} is neither Parquet nor UTF-8 text: expected comma-separated values in UTF-8; save it in that encoding`,
    );
  if (bytes.length > constants.MAX_STRING_LENGTH)
    throw new ParleyError(
      'DATA_VALUE_INVALID',
      `${file} holds ${bytes.length} bytes of text, expected at most ${constants.MAX_STRING_LENGTH}; save it as Parquet`,
    );
  return bytes.toString('utf8');
}

async function readParquet(file: string, bytes: Buffer, columns?: readonly string[]): Promise<Table> {
  const buffer = Uint8Array.from(bytes).buffer;
  try {
    const metadata = await parquetMetadataAsync(buffer);
    const all = parquetSchema(metadata).children.map(({ element }) => element.name);
    refuseRepeatedColumns(all, file);
    const header = all.filter((column) => columns?.includes(column) ?? true);
    const objects =
      header.length === 0
        ? []
        : await parquetReadObjects({ file: buffer, metadata, columns: header, compressors });
    const rows = objects.map((cells) => header.map((column) => cellText(cells[column])));
    return { source: file, header, fileHeader: all, rows };
  } catch (cause) {
    throw cause instanceof ParleyError ? cause : damaged(file, 'Parquet', cause);
  }
}

/** A Parquet cell as a CSV file would write it; null is an empty cell. */
function cellText(value: unknown): string {
  if (value === null || value === undefined) return '';
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint' || typeof value === 'boolean')
    return String(value);
  return value instanceof Date ? value.toISOString() : JSON.stringify(value);
}
