import { join } from 'node:path';
import { Kysely, SqliteDialect, sql } from 'kysely';
import Database from 'libsql';
import { assertSound, guarded, refusalOf, unusable } from './damage.ts';

/** Tables of coordinator.sqlite. */
export interface Tables {
  /** What must not change between a start and a restart: the run's id and its manifest. */
  fact: { key: string; value: string };
  /** Each site's roster of audit users, as it was uploaded. */
  roster: { site: string; bytes: Uint8Array };
  /** The cohort of a round that has begun; a restart asks the same sites again. */
  begun_round: { round: number; cohort: string };
  finished_round: { round: number; report: string; model_sha256: string };
  /** What a finished round's releases say of the canaries: JSON lines. */
  canaries: { round: number; lines: string };
  /** Signals of one model version from one site, as they were uploaded. */
  signals: { version: number; site: string; bytes: Uint8Array };
  /** Attack scores under the declared attack, round by round. */
  scores: { round: number; bytes: Uint8Array };
  /** Scores of every attack after the newest finished round: one row, id 0. */
  newest_scores: { id: number; bytes: Uint8Array };
  /** The newest position of each site's ledger that was seen. */
  ledger_position: { site: string; length: number; head: string };
  /** The server optimizer's state after the newest finished round: one row, id 0. */
  optimizer: { id: number; bytes: Uint8Array };
}

const tables = [
  'fact (key text primary key, value text not null)',
  'roster (site text primary key, bytes blob not null)',
  'begun_round (round integer primary key, cohort text not null)',
  'finished_round (round integer primary key, report text not null, model_sha256 text not null)',
  'canaries (round integer primary key, lines text not null)',
  'signals (version integer not null, site text not null, bytes blob not null, primary key (version, site))',
  'scores (round integer primary key, bytes blob not null)',
  'newest_scores (id integer primary key, bytes blob not null)',
  'ledger_position (site text primary key, length integer not null, head text not null)',
  'optimizer (id integer primary key, bytes blob not null)',
];

/** An open database of a run; `close` is safe to call twice. */
export interface RunDatabase {
  readonly db: Kysely<Tables>;
  readonly close: () => Promise<void>;
}

/** The database of a run directory. */
export function databaseIn(directory: string): string {
  return join(directory, 'coordinator.sqlite');
}

/**
 * Open the database, every commit synchronised to the disk, and make missing tables.
 *
 * @throws RUN_NOT_FOUND when it is no database of a run, or damaged; DIRECTORY_UNWRITABLE when it cannot be opened. Queries
 * throw the same.
 */
export function openDatabase(path: string): RunDatabase {
  const { db, close } = opened(path, (database) => {
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    for (const table of tables) database.exec(`create table if not exists ${table}`);
  });
  return {
    db,
    close: async () => {
      // So that a run at rest is one whole file; where that fails, SQLite's log beside it holds the rest.
      await sql
        .raw('pragma wal_checkpoint(truncate)')
        .execute(db)
        .catch(() => undefined);
      await close();
    },
  };
}

/** Open the database to read it, also beside its coordinator. Writes are refused; throws as {@link openDatabase}. */
export function inspectDatabase(path: string): RunDatabase {
  return opened(path, (database) => database.exec('pragma query_only = on'));
}

function opened(path: string, prepare: (database: Database.Database) => void): RunDatabase {
  const database = openFile(path);
  try {
    // Whoever opens or closes the same file at this moment holds it for no longer than that.
    database.exec('pragma busy_timeout = 5000');
    assertSound(database, { path, tables });
    prepare(database);
  } catch (error) {
    database.close();
    throw refusalOf(error, path);
  }
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database: guarded(database, path) }) });
  const close = async (): Promise<void> => {
    await db.destroy();
    // Kysely closes what it has used.
    if (database.open) database.close();
  };
  return { db, close };
}

function openFile(path: string): Database.Database {
  try {
    return new Database(path);
  } catch (cause) {
    throw unusable(path, cause);
  }
}
