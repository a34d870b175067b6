import { Kysely, SqliteDialect, sql } from 'kysely';
import Database from 'libsql';

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

/** Open the database, every commit synchronised to the disk, and make missing tables. */
export async function openDatabase(path: string): Promise<Kysely<Tables>> {
  const database = new Database(path);
  database.pragma('journal_mode = WAL');
  database.pragma('synchronous = FULL');
  const db = new Kysely<Tables>({ dialect: new SqliteDialect({ database }) });
  for (const table of tables) await sql.raw(`create table if not exists ${table}`).execute(db);
  return db;
}
