import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { ParleyError } from '../errors.ts';

/** Reaches a file, as readFile of node:fs/promises does, so that this stays pure. */
export type ReadFile = (file: string) => Promise<Buffer>;

const gzipMagic = Buffer.from([0x1f, 0x8b]);

/**
 * A file's bytes, unpacked where its first bytes are gzip's. Throws FILE_NOT_FOUND, naming what was `expected`, and
 * DATA_VALUE_INVALID where the gzip stream is damaged.
 */
export async function readBytes(file: string, expected: string, read: ReadFile): Promise<Buffer> {
  const bytes = await stored(file, expected, read);
  if (!bytes.subarray(0, gzipMagic.length).equals(gzipMagic)) return bytes;
  try {
    return await promisify(gunzip)(bytes);
  } catch (cause) {
    throw damaged(file, 'gzip', cause);
  }
}

/** The error of a file that starts like its format and does not go on like it. */
export function damaged(file: string, format: string, cause: unknown): ParleyError {
  return new ParleyError(
    'DATA_VALUE_INVALID',
    `${file} starts like a ${format} file but cannot be read as one (${reason(cause)}): expected a whole file; copy or export it again`,
    { cause },
  );
}

async function stored(file: string, expected: string, read: ReadFile): Promise<Buffer> {
  try {
    return await read(file);
  } catch (cause) {
    throw new ParleyError(
      'FILE_NOT_FOUND',
      `${file} cannot be read (${reason(cause)}): expected ${expected}; check the path and its permissions`,
      { cause },
    );
  }
}

function reason(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
