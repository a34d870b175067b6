import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Kysely } from 'kysely';
import type { z } from 'zod';
import { sha256 } from '../../shared/crypto/encoding.ts';
import { Manifest } from '../../shared/protocol/manifest.ts';
import { RoundReport } from '../../shared/protocol/report.ts';
import type { Sha256 } from '../../shared/units.ts';
import { RunId } from '../../shared/units.ts';
import { CanaryScores } from '../audit/canaries/scores.ts';
import { storedJson } from './damage.ts';
import { databaseIn, inspectDatabase, openDatabase, type RunDatabase, type Tables } from './database.ts';
import { appendDurably, prepareDirectory, writeDurably } from './files.ts';
import { lockRun } from './lock.ts';
import { type SiteTables, siteTables } from './site-tables.ts';

/** A round that is over: its report, the optimizer's state and the canaries' scores, committed together. */
export interface FinishedRound {
  readonly report: RoundReport;
  readonly optimizer: Uint8Array;
  /** Of this round; none when left out. */
  readonly canaries?: readonly CanaryScores[];
  /** Attack scores as safetensors bytes: of every attack, kept of the newest round, and of the declared one. */
  readonly scores: { readonly all: Uint8Array; readonly declared: Uint8Array };
}

/** The coordinator's memory: what it needs to go on after it was killed at any instruction. */
export interface Store extends SiteTables {
  /** The run's id: the fresh one in a new directory, else the one that it holds. */
  runId(fresh: string): Promise<RunId>;
  manifest(): Promise<Manifest | undefined>;
  saveManifest(manifest: Manifest): Promise<void>;
  model(hash: Sha256): Uint8Array | undefined;
  saveModel(bytes: Uint8Array): Sha256;
  reports(): Promise<readonly RoundReport[]>;
  optimizer(): Promise<Uint8Array | undefined>;
  /** Of all finished rounds, in order. */
  canaries(): Promise<readonly CanaryScores[]>;
  finish(round: FinishedRound): Promise<void>;
  close(): Promise<void>;
}

/**
 * Open a run directory to lead its run, locked against every other: coordinator.sqlite is the truth, rounds.jsonl, canaries.jsonl
 * and manifest.json are written from it for people and other programs, models/ holds safetensors files named by their SHA-256.
 *
 * @throws DIRECTORY_UNWRITABLE, also when the run is in use; RUN_NOT_FOUND when coordinator.sqlite is damaged.
 */
export async function openStore(directory: string): Promise<Store> {
  prepareDirectory(directory);
  const unlock = lockRun(directory);
  let database: RunDatabase | undefined;
  try {
    database = openDatabase(databaseIn(directory));
    const store = storeOver(database, directory, unlock);
    await writeLogs(directory, store);
    await writeScores(directory, database.db);
    return store;
  } catch (error) {
    await database?.close();
    unlock();
    throw error;
  }
}

/**
 * Open a run directory to read it, also while its run goes on. Nothing is written: the database refuses it.
 *
 * @throws RUN_NOT_FOUND when coordinator.sqlite is damaged; DIRECTORY_UNWRITABLE when it cannot be opened.
 */
export function inspectStore(directory: string): Store {
  return storeOver(inspectDatabase(databaseIn(directory)), directory, () => undefined);
}

function storeOver({ db, close }: RunDatabase, directory: string, unlock: () => void): Store {
  return {
    ...runTables(db, directory),
    ...siteTables(db),
    ...modelFiles(directory),
    close: async () => {
      await close();
      unlock();
    },
  };
}

type RunTables = Pick<
  Store,
  'runId' | 'manifest' | 'saveManifest' | 'reports' | 'optimizer' | 'canaries' | 'finish'
>;

function runTables(db: Kysely<Tables>, directory: string): RunTables {
  const stored = <T>(text: string, schema: z.ZodType<T>, what: string): T =>
    storedJson(text, schema, { path: databaseIn(directory), what });
  const tables: RunTables = {
    runId: async (fresh) => {
      await insertFact(db, 'run', fresh);
      return RunId.parse(await fact(db, 'run'));
    },
    manifest: async () => {
      const value = await fact(db, 'manifest');
      return value === undefined ? undefined : stored(value, Manifest, 'manifest');
    },
    saveManifest: async (manifest) => {
      await insertFact(db, 'manifest', JSON.stringify(manifest));
      await writeLogs(directory, tables);
    },
    reports: async () => {
      const rows = await db.selectFrom('finished_round').select('report').orderBy('round').execute();
      return rows.map((row) => stored(row.report, RoundReport, 'report of a round'));
    },
    optimizer: async () => {
      const row = await db.selectFrom('optimizer').select('bytes').executeTakeFirst();
      return row && new Uint8Array(row.bytes);
    },
    canaries: async () => {
      const rows = await db.selectFrom('canaries').select('lines').orderBy('round').execute();
      const lines = rows.flatMap((row) => row.lines.split('\n').filter(Boolean));
      return lines.map((line) => stored(line, CanaryScores, 'scores of canaries'));
    },
    finish: async (finished) => {
      const { report, scores, canaries = [] } = finished;
      await commitRound(db, finished);
      writeDurably(scoresFile(directory, report.round), scores.declared);
      writeDurably(scoresFile(directory, 'newest'), scores.all);
      appendDurably(join(directory, 'rounds.jsonl'), jsonLines([report]));
      if (canaries.length > 0) appendDurably(join(directory, 'canaries.jsonl'), jsonLines(canaries));
    },
  };
  return tables;
}

async function fact(db: Kysely<Tables>, key: string): Promise<string | undefined> {
  return (await db.selectFrom('fact').select('value').where('key', '=', key).executeTakeFirst())?.value;
}

async function insertFact(db: Kysely<Tables>, key: string, value: string): Promise<void> {
  await db
    .insertInto('fact')
    .values({ key, value })
    .onConflict((on) => on.doNothing())
    .execute();
}

function modelFiles(directory: string): Pick<Store, 'model' | 'saveModel'> {
  const path = (hash: Sha256): string => join(directory, 'models', `${hash}.safetensors`);
  return {
    model: (hash) => (existsSync(path(hash)) ? new Uint8Array(readFileSync(path(hash))) : undefined),
    saveModel: (bytes) => {
      const hash = sha256(bytes);
      if (!existsSync(path(hash))) writeDurably(path(hash), bytes);
      return hash;
    },
  };
}

async function commitRound(
  db: Kysely<Tables>,
  { report, optimizer, scores, canaries = [] }: FinishedRound,
): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    await transaction
      .insertInto('finished_round')
      .values({ round: report.round, report: JSON.stringify(report), model_sha256: report.modelSha256 })
      .execute();
    if (canaries.length > 0)
      await transaction
        .insertInto('canaries')
        .values({ round: report.round, lines: jsonLines(canaries) })
        .execute();
    await transaction.insertInto('scores').values({ round: report.round, bytes: scores.declared }).execute();
    await transaction.deleteFrom('newest_scores').execute();
    await transaction.insertInto('newest_scores').values({ id: 0, bytes: scores.all }).execute();
    await transaction.deleteFrom('optimizer').execute();
    await transaction.insertInto('optimizer').values({ id: 0, bytes: optimizer }).execute();
  });
}

/** An opening rewrites the readable copies whole: a crash between a commit and its copy is repaired here. */
async function writeLogs(
  directory: string,
  store: Pick<Store, 'manifest' | 'reports' | 'canaries'>,
): Promise<void> {
  const manifest = await store.manifest();
  if (!manifest) return;
  writeDurably(join(directory, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`);
  writeDurably(join(directory, 'rounds.jsonl'), jsonLines(await store.reports()));
  const canaries = await store.canaries();
  if (canaries.length > 0) writeDurably(join(directory, 'canaries.jsonl'), jsonLines(canaries));
}

/** Copies that a crash kept from being written; the newest one always, as it is overwritten every round. */
async function writeScores(directory: string, db: Kysely<Tables>): Promise<void> {
  const rounds = await db.selectFrom('scores').select('round').execute();
  for (const { round } of rounds.filter((row) => !existsSync(scoresFile(directory, row.round)))) {
    const row = await db
      .selectFrom('scores')
      .select('bytes')
      .where('round', '=', round)
      .executeTakeFirstOrThrow();
    writeDurably(scoresFile(directory, round), new Uint8Array(row.bytes));
  }
  const newest = await db.selectFrom('newest_scores').select('bytes').executeTakeFirst();
  if (newest) writeDurably(scoresFile(directory, 'newest'), new Uint8Array(newest.bytes));
}

function scoresFile(directory: string, round: number | 'newest'): string {
  const name = round === 'newest' ? round : `round-${String(round).padStart(5, '0')}`;
  return join(directory, 'scores', `${name}.safetensors`);
}

function jsonLines(values: readonly unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join('');
}
