import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Kysely, SqliteDialect, sql } from 'kysely';
import Database from 'libsql';
import { ParleyError } from '../shared/errors.ts';

/** Tables of a site's ledger file. */
export interface Tables {
  /** One row for each release, chained by hash. */
  entry: {
    position: number;
    run: string;
    round: number;
    plan_sha256: string;
    event: string;
    release_sha256: string;
    previous_hash: string;
    hash: string;
  };
  /** The bytes that were or will be sent for an entry; a retry sends these and no others. */
  release: { run: string; round: number; bytes: Uint8Array };
  /** The audit coins of a run, flipped once. */
  roles: { run: string; bytes: Uint8Array };
}

const tables = [
  `entry (position integer primary key, run text not null, round integer not null, plan_sha256 text not null,
    event text not null, release_sha256 text not null, previous_hash text not null, hash text not null, unique (run, round))`,
  'release (run text not null, round integer not null, bytes blob not null, primary key (run, round))',
  'roles (run text primary key, bytes blob not null)',
];

/**
 * Open a ledger file, every commit synchronised to the disk, make missing tables, and hand it to `use`, which keeps it.
 *
 * @throws DIRECTORY_UNWRITABLE when it cannot be opened; LEDGER_CORRUPT when it is no ledger or damaged; what `use` throws,
 * after closing the file.
 */
export async function openDatabase<T>(path: string, use: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
  const database = openFile(path);
  try {
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database }) });
    for (const table of tables) await sql.raw(`create table if not exists ${table}`).execute(db);
    return await use(db);
  } catch (error) {
    database.close();
    throw isDamage(error) ? corrupt(`${path} is damaged (${error.message})`) : error;
  }
}

function openFile(path: string): Database.Database {
  try {
    mkdirSync(dirname(path), { recursive: true });
    return new Database(path);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ParleyError(
      'DIRECTORY_UNWRITABLE',
      `the ledger ${path} cannot be opened (${reason}): a site without a ledger releases nothing; correct the path or its permissions`,
      { cause },
    );
  }
}

function isDamage(error: unknown): error is Error {
  return (
    error instanceof Error &&
    'code' in error &&
    ['SQLITE_NOTADB', 'SQLITE_CORRUPT'].includes(String(error.code))
  );
}

/** What a site says of a ledger that it cannot rely on. */
export function corrupt(what: string): ParleyError {
  return new ParleyError(
    'LEDGER_CORRUPT',
    `${what}. Nothing is trained until the ledger is restored from a backup that holds every release`,
  );
}
