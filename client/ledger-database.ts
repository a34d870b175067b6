import { existsSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { Kysely, SqliteDialect, sql } from 'kysely';
import Database from 'libsql';
import { ParleyError } from '../shared/errors.ts';
import { codeOf, definitions, isOfMachine, takeLock, verdictOn } from '../shared/sqlite.ts';
import { corrupt, type EntryRow } from './ledger-chain.ts';
import { emptyLog, keepFromOthers } from './ledger-secrecy.ts';

/** Tables of a site's ledger file. */
export interface Tables {
  /** One row for each release, chained by hash. */
  entry: EntryRow;
  /** The bytes that were or will be sent for an entry; a retry sends these and no others. */
  release: { run: string; round: number; bytes: Uint8Array };
  /** The coordinator's receipt of a release, as it came. */
  receipt: { run: string; round: number; receipt: string };
  /** State of noise that is correlated over the rounds of a run, the newest. */
  noise_state: { run: string; bytes: Uint8Array };
  /** Lists of users who could have been in releases, by their hash, which the entries name. */
  users: { sha256: string; bytes: Uint8Array };
  /** The audit coins of a run, flipped once. */
  roles: { run: string; bytes: Uint8Array; sha256: string };
  /** One row: the kind of generator that all releases are drawn from. */
  generator: { position: number; kind: string };
}

const tables = [
  `entry (position integer primary key, format integer not null, run text not null, round integer not null,
    time_ms integer not null, plan_sha256 text not null, event text not null, release_sha256 text not null,
    noise_state_sha256 text, users_sha256 text, previous_hash text not null, hash text not null, unique (run, round))`,
  'release (run text not null, round integer not null, bytes blob not null, primary key (run, round))',
  'receipt (run text not null, round integer not null, receipt text not null, primary key (run, round))',
  'noise_state (run text primary key, bytes blob not null)',
  'users (sha256 text primary key, bytes blob not null)',
  'roles (run text primary key, bytes blob not null, sha256 text not null)',
  'generator (position integer primary key, kind text not null)',
];

/** An open ledger file. */
export interface LedgerFile {
  readonly db: Kysely<Tables>;
  readonly close: () => Promise<void>;
}

/**
 * Open a ledger file for its one client: locked against every other, kept from everybody but its owner, every commit synchronised
 * to the disk, what is deleted overwritten, missing tables made. `use` keeps the file, and closes it.
 *
 * @throws DIRECTORY_UNWRITABLE when it cannot be opened; LEDGER_CORRUPT when it is no ledger, damaged, or another client
 * has it; what `use` throws, after closing the file.
 */
export async function openDatabase<T>(path: string, use: (file: LedgerFile) => Promise<T>): Promise<T> {
  makeFiles(path);
  const lock = locked(path);
  const unlock = (): void => {
    lock.close();
  };
  try {
    return await withDatabase(path, unlock, async (file, database) => {
      database.pragma('journal_mode = WAL');
      database.pragma('synchronous = FULL');
      database.pragma('secure_delete = ON');
      for (const table of tables) await sql.raw(`create table if not exists ${table}`).execute(file.db);
      // A client that was killed left its log, and in it the noise that its last commit replaced.
      database.exec(emptyLog);
      return use(file);
    });
  } catch (error) {
    unlock();
    throw error;
  }
}

/**
 * Open a ledger file to look at it, beside its client if there is one, and close it again. Nothing is written.
 *
 * @throws FILE_NOT_FOUND, DIRECTORY_UNWRITABLE, LEDGER_CORRUPT, what `use` throws.
 */
export async function inspectDatabase<T>(path: string, use: (db: Kysely<Tables>) => Promise<T>): Promise<T> {
  if (!existsSync(path))
    throw new ParleyError(
      'FILE_NOT_FOUND',
      `there is no ledger ${path}: the client makes it when it first starts`,
    );
  return withDatabase(
    path,
    () => undefined,
    async ({ db, close }, database) => {
      database.exec('pragma query_only = on');
      const result = await use(db);
      await close();
      return result;
    },
  );
}

async function withDatabase<T>(
  path: string,
  unlock: () => void,
  use: (file: LedgerFile, database: Database.Database) => Promise<T>,
): Promise<T> {
  const database = openFile(path);
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database }) });
  const close = async (): Promise<void> => {
    try {
      // So that a ledger at rest is one whole file.
      if (database.open) database.exec(emptyLog);
    } catch {
      // On a full disk the log stays beside it, and is as sound; what was on its way to be told must not be lost for that.
    } finally {
      await db.destroy();
      unlock();
    }
  };
  try {
    assertSound(database);
    return await use({ db, close }, database);
  } catch (error) {
    database.close();
    throw refusalOf(error, path);
  }
}

/** Indices that miss rows count too: those would hide what was released. */
function assertSound(database: Database.Database): void {
  const foreign = definitions(database).some(
    (sql) => !tables.some((table) => sql === `CREATE TABLE ${table}`),
  );
  if (foreign) throw new Error('it has other tables than this version of Parley makes');
  const verdict = verdictOn(database);
  if (verdict !== 'ok') throw new Error(verdict);
}

/**
 * What a fault that a client met while it used its ledger means: DIRECTORY_UNWRITABLE where the machine is at fault, LEDGER_CORRUPT for
 * other faults of the database; any other error as it is.
 */
export function ledgerFault(error: unknown, path: string): unknown {
  return codeOf(error).startsWith('SQLITE_') ? refusalOf(error, path) : error;
}

function refusalOf(error: unknown, path: string): unknown {
  if (error instanceof ParleyError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return isOfMachine(error)
    ? unusable(path, reason, error)
    : corrupt(`${path} is damaged (${reason})`, error);
}

function makeFiles(path: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    keepFromOthers(path);
  } catch (cause) {
    throw unusable(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function openFile(path: string): Database.Database {
  try {
    return new Database(path);
  } catch (cause) {
    throw unusable(path, cause instanceof Error ? cause.message : String(cause), cause);
  }
}

/**
 * Keep every other process, and every other ledger in this one, off the ledger. The lock is that of an open transaction on
 * a file of its own, so the system takes it back when the process ends, however it ends; the ledger itself stays readable.
 */
function locked(path: string): Database.Database {
  const database = openFile(`${path}.lock`);
  try {
    takeLock(database);
    return database;
  } catch (cause) {
    database.close();
    throw new ParleyError(
      'LEDGER_CORRUPT',
      `the ledger ${path} is in use (its file .lock cannot be locked): run one client on a ledger`,
      { cause },
    );
  }
}

function unusable(path: string, reason: string, cause: unknown): ParleyError {
  return new ParleyError(
    'DIRECTORY_UNWRITABLE',
    `the ledger ${path} cannot be used (${reason}): a site without a ledger releases nothing; make room, or correct the path or its permissions`,
    { cause },
  );
}
