import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { parleyVersion } from '../../coordinator/index.ts';
import { ParleyError } from '../../shared/errors.ts';
import { sweepHtml } from '../report/sweep-page.ts';
import { sweepText } from '../report/sweep-text.ts';
import { assertNoRun, clearDirectory, sweepMarks } from '../run-directory.ts';
import type { Terminal } from '../terminal.ts';
import { loadGrid, shownGrid } from './grid.ts';
import { jobDirectory, keptResult, recordResult } from './job-directory.ts';
import { type Sweep, sweepOf } from './jobs.ts';
import { localScheduler } from './local-scheduler.ts';
import { progressOf } from './progress.ts';
import { queueScheduler } from './queue-scheduler.ts';
import type { FailedJob, JobResult } from './result.ts';
import type { Scheduler } from './scheduler.ts';
import { type CellSummary, summaries, summariesJson } from './summary.ts';

/** What `parley sweep` was asked for. */
export interface SweepOptions {
  readonly out?: string;
  readonly overwrite: boolean;
  readonly jobs?: number;
  readonly dataDir?: string;
  readonly redis?: string;
  readonly lockSeconds?: number;
}

interface Running {
  readonly terminal: Terminal;
  readonly signal: AbortSignal;
}

/** How soon a worker that vanished is noticed, unless it is said otherwise; seconds. */
export const defaultLockSeconds = 30;

/**
 * `parley sweep`: run every cell of a grid with every seed, keep what an earlier call finished, and write sweep.json and
 * report.html over all of it.
 *
 * @throws CONFIG_INVALID, FILE_NOT_FOUND and, also where a run lies, DIRECTORY_UNWRITABLE before anything runs; INTERRUPTED; RUN_FAILED at the end, naming the jobs that
 * failed; what the queue throws that `--redis` asks for.
 */
export async function sweepCommand(file: string, options: SweepOptions, running: Running): Promise<void> {
  const { terminal, signal } = running;
  const sweep = sweepOf(loadGrid(file), parleyVersion());
  const out = options.out ?? join('runs', sweep.grid.name);
  assertNoRun(out);
  if (options.overwrite) clearDirectory(out, sweepMarks);
  prepare(out);
  const kept = sweep.jobs.flatMap((job) => keptResult(jobDirectory(out, job), job) ?? []);
  const results = new Map(kept.map((result) => [result.id, result]));
  terminal.say(headLine(sweep, kept.length));
  const left = sweep.jobs.filter(({ id }) => !results.has(id));
  const progress = progressOf({ total: sweep.jobs.length, kept: kept.length, now: () => performance.now() });
  const ended = (result: JobResult): void => {
    results.set(result.id, result);
    if (options.redis !== undefined) recordResult(jobDirectory(out, result), result);
    terminal.note(progress(result));
    terminal.emit({ job: result });
  };
  if (left.length > 0) await schedulerOf(sweep, out, options, terminal)(left, { ended, signal });
  const inOrder = sweep.jobs.flatMap(({ id }) => results.get(id) ?? []);
  finish(sweep, out, inOrder, terminal);
  assertNoneFailed(
    inOrder.filter((result) => result.status === 'failed'),
    out,
  );
}

function schedulerOf(sweep: Sweep, out: string, options: SweepOptions, terminal: Terminal): Scheduler {
  if (options.redis !== undefined)
    return queueScheduler({
      sweep: sweep.grid.name,
      fresh: options.overwrite,
      ...{ url: options.redis, version: parleyVersion(), note: terminal.note },
      lockSeconds: options.lockSeconds ?? defaultLockSeconds,
    });
  const atOnce = options.jobs ?? availableParallelism();
  return localScheduler(atOnce, { out, threads: threadsOf(atOnce), ...dataOf(options) });
}

/** Threads of one job of so many at once. */
export function threadsOf(atOnce: number): number {
  return Math.max(1, Math.floor(availableParallelism() / atOnce));
}

/** The option of where data lie, left out where it was not given. */
export function dataOf({ dataDir }: { readonly dataDir?: string }): { dataDir?: string } {
  return dataDir === undefined ? {} : { dataDir };
}

function prepare(out: string): void {
  try {
    mkdirSync(join(out, 'jobs'), { recursive: true });
  } catch (cause) {
    throw new ParleyError('DIRECTORY_UNWRITABLE', `${out} cannot be written to; give another --out`, {
      cause,
    });
  }
}

function headLine({ grid, cells, jobs }: Sweep, kept: number): string {
  const earlier = kept === 0 ? '' : `, ${kept} of them done earlier`;
  return `sweep ${grid.name}: ${cells.length} cells, ${jobs.length} runs${earlier}\nsimulation: not private (seeded randomness)`;
}

function finish(sweep: Sweep, out: string, results: readonly JobResult[], terminal: Terminal): void {
  const cells = summaries(sweep.cells, results);
  writeFileSync(join(out, 'sweep.json'), `${sweepJson(sweep, cells)}\n`);
  const report = join(out, 'report.html');
  writeFileSync(report, sweepHtml(sweep, cells));
  terminal.say(`\n${sweepText(cells)}\nreport: ${report}`);
  terminal.emit({ sweep: join(out, 'sweep.json'), report });
}

/** All figures as JSON. */
function sweepJson({ grid }: Sweep, cells: readonly CellSummary[]): string {
  const content = {
    sweepVersion: 1,
    privacy: 'simulation: not private',
    grid: shownGrid(grid),
    cells,
  };
  return summariesJson(content);
}

function assertNoneFailed(failed: readonly FailedJob[], out: string): void {
  if (failed.length === 0) return;
  const list = failed.map(({ id, error }) => `${id} (${error.code})`).join(', ');
  throw new ParleyError(
    'RUN_FAILED',
    `${failed.length} of the runs failed: ${list}. Their errors stand in sweep.json and report.html of ${out}, beside the figures of the others; the same command runs the failed ones again`,
  );
}
