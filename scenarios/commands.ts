import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Outcome } from '../coordinator/index.ts';
import { ParleyError } from '../shared/errors.ts';
import { Seed } from '../shared/units.ts';
import { dataDirectories } from './data/data-directory.ts';
import type { SeedRun } from './report/run.ts';
import { seedsSummary } from './report/seeds-summary.ts';
import { summaryTable } from './report/summary.ts';
import {
  assertNoSweep,
  clearRun,
  readCanary,
  readRun,
  writeReport,
  writeSeedsReport,
} from './run-directory.ts';
import { loadScenario } from './scenario.ts';
import { runDirectory, simulate } from './simulate.ts';
import type { Terminal } from './terminal.ts';

/** What `parley simulate` was asked for. */
export interface SimulateOptions {
  readonly out?: string;
  readonly seed?: number;
  readonly rounds?: number;
  readonly dataDir?: string;
  readonly inProcess: boolean;
  readonly overwrite: boolean;
}

/**
 * `parley simulate`: every seed of a scenario, one after another, each in its own run directory, then the summary and
 * report.html. Throws DIRECTORY_UNWRITABLE where a sweep lies; LEAKAGE_LIMIT or PRIVACY_BROKEN after all of it when a run stopped
 * itself.
 */
export async function simulateCommand(
  file: string,
  options: SimulateOptions,
  { terminal, signal }: { terminal: Terminal; signal: AbortSignal },
): Promise<void> {
  const loaded = loadScenario(file);
  const rounds = options.rounds ?? loaded.federation.rounds;
  const scenario = { ...loaded, federation: { ...loaded.federation, rounds } };
  const seeds = options.seed === undefined ? scenario.seeds : [Seed.parse(options.seed)];
  const out = options.out ?? join('runs', basename(file).replace(/\.ya?ml$/, ''));
  assertNoSweep(out);
  if (options.overwrite) clearRun(out);
  const directories = dataDirectories(process.env, options.dataDir);
  terminal.say(`scenario ${scenario.federation.name}: ${scenario.federation.description.trim()}`);
  terminal.say(
    'simulation: not private (seeded randomness; for real sites see "How a real hospital joins" in README.md)',
  );
  const runs: SeedRun[] = [];
  const outcomes: Outcome[] = [];
  for (const seed of seeds) {
    const directory = runDirectory(out, seeds, seed);
    if (seeds.length > 1) terminal.say(`\nseed ${seed}`);
    const outcome = await simulate({
      scenario,
      seed,
      directory,
      dataDirectories: directories,
      inProcess: options.inProcess,
      observer: terminal,
      signal,
    });
    finishRun(directory, outcome, terminal);
    const canary = readCanary(directory);
    runs.push({ seed, ...readRun(directory), ...(canary && { canary }) });
    outcomes.push(outcome);
  }
  if (runs.length > 1) finishSeeds(out, runs, terminal);
  outcomes.forEach(assertNotStopped);
}

/** A run that stopped itself has its report, and is told from a finished one by the exit code: LEAKAGE_LIMIT, PRIVACY_BROKEN. */
export function assertNotStopped({ outcome, detail, code = 'LEAKAGE_LIMIT' }: Outcome): void {
  if (outcome === 'stopped') throw new ParleyError(code, detail);
}

/** Summary and report.html of a run that has ended. */
export function finishRun(directory: string, outcome: Outcome, terminal: Terminal): void {
  const run = readRun(directory);
  const report = writeReport(directory, run);
  terminal.say(
    `\n${summaryTable(run.manifest, run.reports)}\n\n${outcome.outcome}: ${outcome.detail}\nreport: ${report}`,
  );
  terminal.emit({ outcome, report, modelSha256: run.reports.at(-1)?.modelSha256 });
}

function finishSeeds(out: string, runs: readonly SeedRun[], terminal: Terminal): void {
  mkdirSync(out, { recursive: true });
  const { text, rows, repeated } = seedsSummary(runs);
  writeFileSync(join(out, 'seeds.json'), `${JSON.stringify(rows, null, 2)}\n`);
  if (repeated.length > 0)
    writeFileSync(join(out, 'seeds-canaries.json'), `${JSON.stringify(repeated, null, 2)}\n`);
  const report = writeSeedsReport(out, runs);
  terminal.say(`\n${text}\nreport: ${report}`);
  terminal.emit({ seeds: rows, canaries: repeated, report });
}

/** `parley report`: write report.html anew and print the summary. */
export function reportCommand(directory: string, terminal: Terminal): void {
  const run = readRun(directory);
  const report = writeReport(directory, run);
  terminal.say(`${summaryTable(run.manifest, run.reports)}\nreport: ${report}`);
  terminal.emit({ report, manifest: run.manifest, last: run.reports.at(-1) });
}
