import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CanaryOfRun, CanaryScores, canaryOfRun } from '../coordinator/index.ts';
import { ParleyError } from '../shared/errors.ts';
import { parsedJson } from '../shared/protocol/json.ts';
import { Manifest } from '../shared/protocol/manifest.ts';
import { RoundReport } from '../shared/protocol/report.ts';
import { reportHtml, seedsHtml } from './report/html.ts';
import type { ReportedRun, SeedRun } from './report/run.ts';
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
  if (!manifest.success) throw unreadable(join(directory, 'manifest.json'), manifest.error.message);
  const lines = text('rounds.jsonl').split('\n').filter(Boolean);
  const reports = lines.map((line, index) => {
    const report = RoundReport.safeParse(parsedJson(line));
    if (!report.success)
      throw unreadable(`${join(directory, 'rounds.jsonl')}, line ${index + 1}`, report.error.message);
    return report.data;
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
      throw unreadable(`${file}, line ${index + 1}`, scores.error.message);
    }),
  );
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

/** Remove an earlier run; a directory that holds something else is left alone. Throws DIRECTORY_UNWRITABLE then. */
export function clearRun(directory: string): void {
  clearDirectory(directory, ['coordinator.sqlite', 'sites', 'seeds.json']);
}

/** Remove a directory that holds any file or folder of these names. Throws DIRECTORY_UNWRITABLE when it holds none. */
export function clearDirectory(directory: string, marks: readonly string[]): void {
  if (!existsSync(directory)) return;
  if (!marks.some((name) => existsSync(join(directory, name))))
    throw new ParleyError(
      'DIRECTORY_UNWRITABLE',
      `${directory} exists and holds no run of ours: it is not overwritten; give another --out`,
    );
  rmSync(directory, { recursive: true });
}

function written(directory: string, html: string): string {
  const file = join(directory, 'report.html');
  writeFileSync(file, html);
  return file;
}

function unreadable(where: string, why: string): ParleyError {
  return new ParleyError('RUN_NOT_FOUND', `${where} does not fit this version's schema: ${why}`);
}
