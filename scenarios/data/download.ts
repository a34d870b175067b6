import { createWriteStream } from 'node:fs';
import { mkdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ParleyError } from '../../shared/errors.ts';

const timeoutMs = 10 * 60_000;

/**
 * Download `url` into `file`, going on where an earlier attempt stopped if the server allows it. Whether the bytes are the
 * right ones is for the caller to check. Throws DATA_FETCH_FAILED; what arrived stays for the next attempt.
 */
export async function download(url: string, file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const have = await sizeOf(file);
  const response = await request(url, have);
  if (response.status === 416 && have > 0) return;
  if (!response.ok || response.body === null)
    throw failed(url, `the server answered ${response.status} ${response.statusText}`);
  try {
    const flags = response.status === 206 ? 'a' : 'w';
    await pipeline(Readable.from(response.body), createWriteStream(file, { flags }));
  } catch (cause) {
    throw failed(url, `the connection broke (${reason(cause)}); run it again to go on from there`, cause);
  }
}

async function request(url: string, have: number): Promise<Response> {
  try {
    return await fetch(url, {
      headers: have > 0 ? { range: `bytes=${have}-` } : {},
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (cause) {
    throw failed(url, reason(cause), cause);
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    return (await stat(file)).size;
  } catch {
    return 0;
  }
}

function failed(url: string, what: string, cause?: unknown): ParleyError {
  return new ParleyError(
    'DATA_FETCH_FAILED',
    `${url} was not downloaded: ${what}; expected a zip archive; check the connection, name a --mirror, or put the files of \`parley data list\` into a directory named by --data-dir`,
    { cause },
  );
}

function reason(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? `${cause.message}: ${cause.cause.message}` : cause.message;
}
