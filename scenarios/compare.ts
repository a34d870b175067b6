import { existsSync, mkdirSync, readdirSync, realpathSync, writeFileSync } from 'node:fs';
import { basename, join, resolve } from 'node:path';
import { ParleyError } from '../shared/errors.ts';
import { compareHtml } from './report/compare-page.ts';
import { sweepText } from './report/sweep-text.ts';
import { readRun, storedScenario } from './run-directory.ts';
import { type DoneRun, figuresOf } from './sweep/result.ts';
import { type CellSummary, summaries, summariesJson } from './sweep/summary.ts';
import type { Terminal } from './terminal.ts';

/**
 * `parley compare`: one table and one chart over runs that are there already. Runs of one scenario, whatever their seeds, are one
 * line, with intervals over the seeds; every other run is a line of its own. A run given more than once counts once, with a note.
 *
 * @throws RUN_NOT_FOUND for a directory without a run or a run without a finished round; DIRECTORY_UNWRITABLE.
 */
export function compareCommand(directories: readonly string[], out: string, terminal: Terminal): void {
  const cells = comparedRuns(countedOnce(directories, terminal.note));
  const report = writeComparison(out, cells);
  terminal.say(`${sweepText(cells)}\n\nreport: ${report}`);
  terminal.emit({ compare: join(out, 'compare.json'), report });
}

interface NamedRun {
  /** What runs of one line have in common. */
  readonly key: string;
  readonly directory: string;
  /** The directory's one true path, however it was given. */
  readonly place: string;
  /** The directory as it was given: several runs when it holds seeds. */
  readonly given: string;
  readonly run: Omit<DoneRun, 'cell'>;
}

/** Every run once, where it was given first: a second time it would pass for another draw. */
function countedOnce(directories: readonly string[], note: (text: string) => void): NamedRun[] {
  const runs = directories.flatMap((given) => runsIn(given).map((directory) => namedRun(directory, given)));
  const places = runs.map(({ place }) => place);
  const firsts = runs.filter(({ place }, index) => places.indexOf(place) === index);
  const again = firsts.filter(({ place }) => places.indexOf(place) !== places.lastIndexOf(place));
  const names = again.map(({ directory }) => directory).join(', ');
  if (again.length > 0) note(`given more than once and counted once: ${names}`);
  return firsts;
}

/** The lines of a comparison, in the order in which the runs were given. */
function comparedRuns(runs: readonly NamedRun[]): CellSummary[] {
  const firsts = runs.filter(({ key }, index) => runs.findIndex((other) => other.key === key) === index);
  const names = new Map(firsts.map((first) => [first.key, nameOf(first, firsts)]));
  const metrics = new Set(runs.map(({ run }) => run.figures.utility.metric));
  const cells = firsts.map(({ key, run }) => {
    const name = names.get(key) ?? key;
    // What is measured differently cannot share an axis.
    const base = metrics.size > 1 ? `runs with test ${run.figures.utility.metric}` : 'runs';
    return { name, base, labels: [name] };
  });
  return summaries(
    cells,
    runs.map(({ key, run }) => ({ ...run, cell: names.get(key) ?? key })),
  );
}

/** A run directory itself, or the runs of the seeds in it. */
function runsIn(directory: string): string[] {
  if (existsSync(join(directory, 'manifest.json')) || !existsSync(directory)) return [directory];
  const seeds = readdirSync(directory).filter((name) => /^seed-\d+$/.test(name));
  if (seeds.length === 0) return [directory];
  return seeds.sort((a, b) => Number(a.slice(5)) - Number(b.slice(5))).map((name) => join(directory, name));
}

function namedRun(directory: string, given: string): NamedRun {
  const reported = readRun(directory);
  const figures = figuresOf(reported);
  if (figures === undefined)
    throw new ParleyError(
      'RUN_NOT_FOUND',
      `${directory} has no finished round, so there is nothing to compare; leave it out or let it run`,
    );
  const { seed } = reported.manifest;
  const planned = reported.reports.at(-1)?.rounds ?? 0;
  const outcome = figures.rounds < planned ? 'stopped' : 'finished';
  const place = realpathSync(directory);
  return { key: keyOf(directory), directory, place, given, run: { status: 'done', seed, outcome, figures } };
}

/** The scenario without its seeds; a run of real sites has none and stands alone. */
function keyOf(directory: string): string {
  if (!existsSync(join(directory, 'scenario.json'))) return realpathSync(directory);
  return JSON.stringify({ ...storedScenario(directory), seeds: [] });
}

/** The directory's own name where no other line has it, else as it was given. */
function nameOf({ given }: NamedRun, firsts: readonly NamedRun[]): string {
  const own = basename(resolve(given));
  return firsts.filter((other) => basename(resolve(other.given)) === own).length > 1 ? given : own;
}

function writeComparison(out: string, cells: readonly CellSummary[]): string {
  const report = join(out, 'compare.html');
  const content = summariesJson({ compareVersion: 1, cells });
  try {
    mkdirSync(out, { recursive: true });
    writeFileSync(join(out, 'compare.json'), `${content}\n`);
    writeFileSync(report, compareHtml(cells));
  } catch (cause) {
    throw new ParleyError('DIRECTORY_UNWRITABLE', `${out} cannot be written to; give another --out`, {
      cause,
    });
  }
  return report;
}
