import { constants, isUtf8 } from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';
import { parseCsv, refuseRepeatedColumns } from '../shared/data/csv.ts';
import type { Table } from '../shared/data/table.ts';
import { ParleyError } from '../shared/errors.ts';

/**
 * Read a site's table: comma-separated values (RFC 4180, UTF-8), plain or gzipped, or Parquet; told apart by the file's
 * first bytes, not by its name. With `columns`, only those are kept in memory. Throws FILE_NOT_FOUND, DATA_EMPTY, and
 * DATA_VALUE_INVALID when the file is damaged, not UTF-8 or not a table.
 */
export async function readTable(file: string, columns?: readonly string[]): Promise<Table> {
  const bytes = await readBytes(file);
  if (startsWith(bytes, parquetMagic)) return readParquet(file, bytes, columns);
  const plain = startsWith(bytes, gzipMagic) ? await decompress(file, bytes) : bytes;
  return parseCsv(decode(file, plain), { source: file, ...(columns && { columns }) });
}

const parquetMagic = Buffer.from('PAR1');
const gzipMagic = Buffer.from([0x1f, 0x8b]);

function startsWith(bytes: Buffer, magic: Buffer): boolean {
  return bytes.subarray(0, magic.length).equals(magic);
}

async function readBytes(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new ParleyError(
      'FILE_NOT_FOUND',
      `${file} cannot be read (${reason(cause)}): expected a CSV, gzipped CSV or Parquet file; check the path and its permissions`,
      { cause },
    );
  }
}

async function decompress(file: string, bytes: Buffer): Promise<Buffer> {
  try {
    return await promisify(gunzip)(bytes);
  } catch (cause) {
    throw damaged(file, 'gzip', cause);
  }
}

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
    return { source: file, header, rows };
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

function damaged(file: string, format: string, cause: unknown): ParleyError {
  return new ParleyError(
    'DATA_VALUE_INVALID',
    `${file} starts like a ${format} file but cannot be read as one (${reason(cause)}): expected a whole file; copy or export it again`,
    { cause },
  );
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
