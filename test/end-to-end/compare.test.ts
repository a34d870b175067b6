import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { readRun } from '../../scenarios/run-directory.ts';
import { figuresOf } from '../../scenarios/sweep/result.ts';
import type { CellSummary } from '../../scenarios/sweep/summary.ts';
import { parleyDone } from '../support/processes.ts';
import { aScenario, folder, smallRun } from '../support/small-run.ts';

/** Two seeds of one scenario, one run of another with a site less, and a copy of it without what says it was simulated. */
const seeds = join(folder, 'first-seeds');
const seedRuns = [join(seeds, 'seed-4'), join(seeds, 'seed-5')];
const other = join(folder, 'second-run');
const real = join(folder, 'real', 'second-run');
const out = join(folder, 'comparison');

beforeAll(async () => {
  const scenario = aScenario('first');
  for (const [index, directory] of seedRuns.entries()) {
    const seed = ['--seed', `${index + 4}`];
    const { code, stderr } = await parleyDone(
      'simulate',
      scenario,
      '--in-process',
      ...seed,
      '--out',
      directory,
    );
    expect(code, stderr).toBe(0);
  }
  await smallRun('second', { sites: 2 });
  cpSync(other, real, { recursive: true });
  rmSync(join(real, 'scenario.json'));
});

test('runs of one scenario are one line with an interval over seeds; others stand alone, under names that tell them apart', async () => {
  const { code, stdout, stderr } = await parleyDone('compare', seeds, other, real, '--out', out);
  expect(code, stdout + stderr).toBe(0);
  const { cells } = JSON.parse(readFileSync(join(out, 'compare.json'), 'utf8')) as { cells: CellSummary[] };
  expect(cells.map(({ cell, runs }) => [cell, runs.map(({ seed }) => seed)])).toEqual([
    ['first-seeds', [4, 5]],
    [other, [1]],
    [real, [1]],
  ]);
  const figures = seedRuns.map((directory) => figuresOf(readRun(directory)));
  expect(cells[0]!.runs.map((run) => run.figures)).toEqual(figures);
  expect(cells[0]!.userMia).toMatchObject({
    values: figures.map((own) => own!.userMia.auc),
    interval: 'seeds',
  });
  const { auc, low, high } = figuresOf(readRun(other))!.userMia;
  expect(cells[1]!.userMia).toEqual({ values: [auc], mean: auc, low, high, interval: 'run' });
  expect(cells[1]!.epsilonCoordinator?.mean).toBe('infinite');
  const page = readFileSync(join(out, 'compare.html'), 'utf8');
  for (const { cell } of cells) {
    expect(stdout).toContain(cell);
    expect(page).toContain(cell);
  }
  expect(page).not.toContain('<script');
});

test('the seeds of one scenario given one by one are one line too', async () => {
  const { stdout } = await parleyDone('compare', ...seedRuns, '--out', out, '--json');
  expect(JSON.parse(stdout)).toMatchObject({ report: join(out, 'compare.html') });
  const { cells } = JSON.parse(readFileSync(join(out, 'compare.json'), 'utf8')) as { cells: CellSummary[] };
  expect(cells.map(({ runs }) => runs.length)).toEqual([2]);
});

test('a run that is given twice, by whatever path, counts once, and one note says so', async () => {
  const cellsOf = async (...given: readonly string[]): Promise<[unknown[][], string]> => {
    const { code, stdout, stderr } = await parleyDone('compare', ...given, '--out', out);
    expect(code, stdout + stderr).toBe(0);
    const { cells } = JSON.parse(readFileSync(join(out, 'compare.json'), 'utf8')) as { cells: CellSummary[] };
    return [cells.map(({ runs }) => runs.map(({ seed }) => seed)), stderr.trim()];
  };
  const [first, second] = seedRuns;
  const link = join(folder, 'link');
  symlinkSync(real, link);
  const roundabout = `${seeds}/../first-seeds/seed-5/`;
  expect(await cellsOf(seeds, second!, roundabout, real, relative('.', real), link)).toEqual([
    [[4, 5], [1]],
    `given more than once and counted once: ${second!}, ${real}`,
  ]);
  expect(await cellsOf(second!, first!)).toEqual([[[5, 4]], '']);
});

test('a directory without a run is named, and so is one that cannot be written to', async () => {
  const empty = join(folder, 'empty');
  mkdirSync(empty);
  for (const missing of [empty, join(folder, 'nowhere')]) {
    const { code, stdout } = await parleyDone('compare', other, missing, '--out', out, '--json');
    expect(code).not.toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: 'RUN_NOT_FOUND', message: expect.stringContaining(missing) as string },
    });
  }
  const file = join(other, 'manifest.json');
  const { stdout } = await parleyDone('compare', other, '--out', join(file, 'out'), '--json');
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'DIRECTORY_UNWRITABLE' } });
});
