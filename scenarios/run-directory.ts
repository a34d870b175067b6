import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { z } from 'zod';
import { type CanaryOfRun, CanaryScores, canaryOfRun, lockRun } from '../coordinator/index.ts';
import { ParleyError } from '../shared/errors.ts';
import { faultsOf } from '../shared/faults.ts';
import { parsedJson } from '../shared/protocol/json.ts';
import { Manifest } from '../shared/protocol/manifest.ts';
import { RoundReport } from '../shared/protocol/report.ts';
import { reportHtml, seedsHtml } from './report/html.ts';
import type { ReportedRun, SeedRun } from './report/run.ts';
import type { BegunRun } from './same-scenario.ts';
import { Scenario } from './scenario.ts';

/**
 * Read what a run left: its manifest and the reports of its finished rounds.
 *
 * @throws RUN_NOT_FOUND when the directory holds no run, or one that does not fit the schema of this version.
 */
export function readRun(directory: string): ReportedRun {
  const text = (name: string): string => {
    const file = join(directory, name);
    if (existsSync(file)) return readFileSync(file, 'utf8');
    throw new ParleyError(
      'RUN_NOT_FOUND',
      `${directory} holds no run: ${name} is missing. Give the directory that --out named`,
    );
  };
  const manifest = Manifest.safeParse(parsedJson(text('manifest.json')));
  if (!manifest.success) throw unreadable(join(directory, 'manifest.json'), manifest.error);
  const lines = text('rounds.jsonl').split('\n').filter(Boolean);
  const reports = lines.map((line, index) => {
    const report = RoundReport.safeParse(parsedJson(line));
    if (report.success) return report.data;
    throw unreadable(`${join(directory, 'rounds.jsonl')}, line ${index + 1}`, report.error);
  });
  return { manifest: manifest.data, reports };
}

/**
 * The canary that stands for a run among repetitions; undefined where none was scored. Throws RUN_NOT_FOUND for lines of
 * another version.
 */
export function readCanary(directory: string): CanaryOfRun | undefined {
  const file = join(directory, 'canaries.jsonl');
  if (!existsSync(file)) return undefined;
  const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
  return canaryOfRun(
    lines.map((line, index) => {
      const scores = CanaryScores.safeParse(parsedJson(line));
      if (scores.success) return scores.data;
      throw unreadable(`${file}, line ${index + 1}`, scores.error);
    }),
  );
}

/** The run that has begun in a directory; undefined where none has, and everything may still be corrected. */
export function begunRun(directory: string): BegunRun | undefined {
  if (!existsSync(join(directory, 'manifest.json'))) return undefined;
  const value = (name: string): unknown => {
    const file = join(directory, name);
    return existsSync(file) ? parsedJson(readFileSync(file, 'utf8')) : undefined;
  };
  return {
    directory,
    scenario: Scenario.safeParse(value('scenario.json')).data,
    seed: Manifest.safeParse(value('manifest.json')).data?.seed,
  };
}

/** The scenario of a simulation, as its directory keeps it. Throws RUN_NOT_FOUND. */
export function storedScenario(directory: string): Scenario {
  const file = join(directory, 'scenario.json');
  try {
    return Scenario.parse(parsedJson(readFileSync(file, 'utf8')));
  } catch (cause) {
    throw new ParleyError(
      'RUN_NOT_FOUND',
      `${file} is missing or of another version: shadow federations and red-team roles need a run of \`parley simulate\` by this version`,
      { cause },
    );
  }
}

/** Write report.html of one run and return its path. */
export function writeReport(directory: string, run: ReportedRun): string {
  return written(directory, reportHtml(run));
}

/** Write report.html over several seeds and return its path. */
export function writeSeedsReport(directory: string, runs: readonly SeedRun[]): string {
  return written(directory, seedsHtml(runs));
}

/** Remove an earlier run; one that is in use, and a directory that holds something else, is left alone. Throws DIRECTORY_UNWRITABLE then. */
export function clearRun(directory: string): void {
  clearDirectory(directory, ['coordinator.sqlite', 'sites', 'seeds.json']);
}

/**
 * Remove a directory that holds any file or folder of these names, with all runs in it.
 *
 * @throws DIRECTORY_UNWRITABLE when it holds none, or a run in it is in use; nothing is removed then.
 */
export function clearDirectory(directory: string, marks: readonly string[]): void {
  if (!existsSync(directory)) return;
  if (!marks.some((name) => existsSync(join(directory, name))))
    throw new ParleyError(
      'DIRECTORY_UNWRITABLE',
      `${directory} exists and holds no run of ours: it is not overwritten; give another --out`,
    );
  const locks: (() => void)[] = [];
  try {
    for (const run of runsIn(directory)) locks.push(lockRun(run));
    rmSync(directory, { recursive: true });
  } finally {
    for (const unlock of locks) unlock();
  }
}

/** What a sweep leaves in its directory. */
export const sweepMarks = ['jobs', 'sweep.json'] as const;

/** What a run leaves in its directory, or a simulation of several seeds above them. */
const runMarks = ['manifest.json', 'coordinator.sqlite', 'seeds.json'] as const;

/** Keep a run out of the directory of a sweep, whose report it would write over. Throws DIRECTORY_UNWRITABLE there. */
export function assertNoSweep(directory: string): void {
  assertNothingOf('a sweep', sweepMarks, directory);
}

/** Keep a sweep out of the directory of a run, whose report it would write over. Throws DIRECTORY_UNWRITABLE there. */
export function assertNoRun(directory: string): void {
  assertNothingOf('a run', runMarks, directory);
}

function assertNothingOf(what: string, marks: readonly string[], directory: string): void {
  const found = marks.find((name) => existsSync(join(directory, name)));
  if (found === undefined) return;
  throw new ParleyError(
    'DIRECTORY_UNWRITABLE',
    `${directory} holds ${what} (${found}), whose report.html would be written over: give another --out`,
  );
}

/** Folders of runs in a directory: itself, one for each seed, those of a sweep or of shadow federations. */
function runsIn(directory: string): readonly string[] {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' });
  return files
    .filter((file) => basename(file) === 'coordinator.sqlite')
    .map((file) => join(directory, dirname(file)));
}

/** Write a value as JSON so that a reader finds the file whole or not at all. */
export function writeWhole(file: string, value: unknown): void {
  writeFileSync(`${file}.tmp`, `${JSON.stringify(value, null, 2)}\n`);
  renameSync(`${file}.tmp`, file);
}

function written(directory: string, html: string): string {
  const file = join(directory, 'report.html');
  writeFileSync(file, html);
  return file;
}

function unreadable(where: string, error: z.ZodError): ParleyError {
  return new ParleyError(
    'RUN_NOT_FOUND',
    `${where} does not fit this version's schema: ${faultsOf(error, 'its content').join('; ')}. It is a copy of what coordinator.sqlite ` +
      'holds: start the run by the same command again, which writes it anew; a run of another version needs that version',
  );
}
