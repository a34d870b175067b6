import { chmodSync, closeSync, existsSync, openSync, statSync } from 'node:fs';
import { type QueryExecutorProvider, sql } from 'kysely';

/** Of a file that its owner alone may read and write. */
export const ownerOnly = 0o600;

/** Brings all that the write-ahead log holds into the ledger, durably, and cuts the log off; not while somebody reads it. */
export const emptyLog = 'pragma wal_checkpoint(truncate)';

/**
 * Keep a ledger's files from everybody but their owner: whoever reads a state of noise can subtract it, and whoever has identifiers can
 * find them in the lists of users. Files that SQLite would make by the umask are made before it opens them; its log and shared memory
 * get the mode of the ledger. Files that are looser are tightened, where the file system has modes and they are ours. No file that is
 * there is opened: closing it would take back the locks that this process holds on it.
 *
 * @throws what the file system throws when a file cannot be made.
 */
export function keepFromOthers(ledger: string): void {
  for (const suffix of ['', '.lock']) make(ledger + suffix);
  for (const suffix of ['', '-wal', '-shm', '.mark', '.mark.new', '.lock']) tighten(ledger + suffix);
}

function make(path: string): void {
  try {
    closeSync(openSync(path, 'wx', ownerOnly));
  } catch (error) {
    if (!existsSync(path)) throw error;
  }
}

function tighten(path: string): void {
  try {
    const { mode } = statSync(path);
    if ((mode & 0o077) !== 0) chmodSync(path, mode & 0o700);
  } catch {
    // It is not there, not ours, or on a file system without modes: no reason to keep a site from training.
  }
}

/**
 * What empties the log, which keeps what later commits replaced: to be called with true when a state of noise may have been replaced.
 * The ledger itself overwrites (`secure_delete`). While somebody looks at the ledger the log cannot be emptied, so every later
 * call tries again. A crash before, in the midst or after loses nothing: the log goes only when the ledger has it all, durably.
 */
export function logEmptier(db: QueryExecutorProvider): (isReplaced: boolean) => Promise<void> {
  let isDue = false;
  return async (isReplaced) => {
    isDue ||= isReplaced;
    if (isDue) isDue = !(await emptied(db));
  };
}

async function emptied(db: QueryExecutorProvider): Promise<boolean> {
  const { rows } = await sql.raw<{ busy: number }>(emptyLog).execute(db);
  return rows[0]?.busy === 0;
}
