import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ParleyError } from '../../shared/errors.ts';
import type { Rng } from '../../shared/random/rng.ts';
import { writeDurably } from '../store/files.ts';
import { lockFile } from '../store/lock.ts';
import { type LogFile, openLog } from './log-file.ts';
import { type CallerHistory, historyAfter, noHistory } from './query-log.ts';
import type { ServeConfig } from './serve-config.ts';

const secretBytes = 32;

/**
 * Keep every other server, in this process or another, off a directory until the function that is returned is called: two of them
 * would break the query log for both. The directory is made when it is not there.
 *
 * @throws DIRECTORY_UNWRITABLE when a server uses it, or it cannot be made or written to.
 */
export function lockServing(directory: string): () => void {
  try {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw unwritable(directory, cause);
  }
  return lockFile(join(directory, 'serve.lock'), {
    what: `the directory ${directory}`,
    user: 'a server runs on its query log, and goes on',
    otherwise: 'name another one in `directory`, which has budgets and alarms of its own',
  });
}

/**
 * The server's secret in its directory, made when it is not there: digests, sketches and the noise of answers are keyed by it.
 *
 * @throws DIRECTORY_UNWRITABLE; CONFIG_INVALID for a file that is no secret.
 */
export function secretIn(directory: string, rng: Rng): Uint8Array {
  const path = join(directory, 'secret');
  try {
    if (!existsSync(path)) writeDurably(path, rng.bytes(secretBytes), 0o600);
  } catch (cause) {
    throw unwritable(directory, cause);
  }
  const secret = new Uint8Array(readFileSync(path));
  if (secret.length === secretBytes) return secret;
  throw new ParleyError(
    'CONFIG_INVALID',
    `${path} has ${secret.length} bytes, expected ${secretBytes}: restore it, or remove it, after which the same record gets other noise`,
  );
}

/** The query log in a directory, and what it tells of each caller of a configuration. Throws QUERY_LOG_CORRUPT. */
export function openHistories(
  directory: string,
  { callers }: Pick<ServeConfig, 'callers'>,
  note: (text: string) => void,
): { readonly log: LogFile; readonly histories: ReadonlyMap<string, CallerHistory> } {
  const histories = new Map(callers.map(({ id }) => [id, noHistory]));
  const forgivenBelow = new Map(callers.map((caller) => [caller.id, caller.forgivenBelow]));
  const log = openLog(join(directory, 'queries.jsonl'), {
    note,
    take: (content, position) => {
      if (content.type !== 'query') return;
      const before = histories.get(content.caller) ?? noHistory;
      const forgiven = forgivenBelow.get(content.caller) ?? 0;
      histories.set(content.caller, historyAfter(before, content, { position, forgivenBelow: forgiven }));
    },
  });
  return { log, histories };
}

function unwritable(directory: string, cause: unknown): ParleyError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ParleyError(
    'DIRECTORY_UNWRITABLE',
    `${directory} cannot be written to (${reason}): the query log goes there; name another one in \`directory\``,
    { cause },
  );
}
