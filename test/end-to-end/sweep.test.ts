import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { readRun } from '../../scenarios/run-directory.ts';
import { figuresOf, type JobFigures, JobResult } from '../../scenarios/sweep/result.ts';
import { type ParleyProcess, parley, parleyDone } from '../support/processes.ts';
import { hasRedis, startRedis } from '../support/redis.ts';
import { aScenario, folder, smallRun } from '../support/small-run.ts';

const relaxed = 'relaxed: {federation: {local: {defence: {type: relaxloss, alpha: 1.2}}}}';

/** A grid of the small hospitals with these variants. */
function aGrid(name: string, variants: readonly string[], seeds = '[1, 2]'): string {
  const file = join(folder, `${name}.yaml`);
  const common = 'set: {federation: {audit: {attacks: [], pairs: false}}}';
  const vary = `vary:\n  defence:\n${['none: {}', ...variants].map((variant) => `    ${variant}\n`).join('')}`;
  writeFileSync(file, `scenario: ${aScenario('swept')}\n${common}\n${vary}seeds: ${seeds}\n`);
  return file;
}

/** Start a process that ends with the test. */
function started(...args: readonly string[]): ParleyProcess {
  const running = parley(...args);
  onTestFinished(async () => {
    await running.kill('SIGKILL');
  });
  return running;
}

/** Jobs that a sweep with `--json` reported as it went. */
function reported(stdout: string): JobResult[] {
  return stdout.split('\n').flatMap((line) => {
    const { job } = JSON.parse(line) as { job?: unknown };
    return job === undefined ? [] : [JobResult.parse(job)];
  });
}

/** What must repeat of every job: all its figures but time. */
function figuresIn(out: string): Record<string, JobFigures> {
  const { cells } = JSON.parse(readFileSync(join(out, 'sweep.json'), 'utf8')) as {
    cells: { runs: unknown[] }[];
  };
  const runs = cells.flatMap((cell) => cell.runs.map((run) => JobResult.parse(run)));
  return Object.fromEntries(
    runs.map((run) => [run.id, run.status === 'done' ? timeless(run.figures) : undefined!]),
  );
}

function timeless(figures: JobFigures): JobFigures {
  return { ...figures, seconds: 0 };
}

const first = join(folder, 'first');
let said = '';
let firstFigures: ReturnType<typeof figuresIn> = {};

beforeAll(async () => {
  const grid = aGrid('grid', [relaxed]);
  const { code, stdout, stderr } = await parleyDone('sweep', grid, '--out', first, '--jobs', '2');
  expect(code, stderr).toBe(0);
  said = stdout;
  firstFigures = figuresIn(first);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

function only(figures: typeof firstFigures, seed: string): typeof firstFigures {
  return Object.fromEntries(Object.entries(figures).filter(([id]) => id.endsWith(seed)));
}

describe('parley sweep', () => {
  test('prints the frontier and writes figures and report', () => {
    expect(said).toMatch(
      /^swept +runs +test accuracy +user-MIA AUC +TPR@1% +worst group AUC +eps coordinator/m,
    );
    expect(said).toMatch(/^defence none +2 +0\.\d{3} \[-?[\d.]+, [\d.]+\]/m);
    expect(said).toMatch(/ yes$/m);
    expect(readFileSync(join(first, 'report.html'), 'utf8')).not.toMatch(/<script|NaN|undefined/);
    expect(Object.keys(firstFigures)).toHaveLength(4);
  });

  test("a cell's figures are to the bit those of parley simulate", async () => {
    const file = join(folder, 'by-hand.yaml');
    const text = readFileSync(aScenario('swept'), 'utf8');
    const changed = text
      .replace('learningRate: 0.3}', 'learningRate: 0.3, defence: {type: relaxloss, alpha: 1.2}}')
      .replace('cohort:', 'audit: {attacks: [], pairs: false}\n  cohort:');
    writeFileSync(file, changed);
    const run = join(folder, 'by-hand');
    const { code } = await parleyDone('simulate', file, '--seed', '2', '--in-process', '--out', run);
    expect(code).toBe(0);
    const figures = timeless(figuresOf(readRun(run))!);
    expect(firstFigures['swept_defence-relaxed_seed-2']).toEqual(figures);
  });

  test('started again with a changed grid runs what is new, and a job that fails stops no other', async () => {
    const added = 'longer: {federation: {local: {epochs: 25}}}';
    const refused = 'refused: {sites: {policy: {allowUnprotected: false}}}';
    const changed = aGrid('changed', [refused, added], '[2]');
    const { code, stdout } = await parleyDone('sweep', changed, '--out', first, '--json');
    expect(code).toBe(6);
    const ended = reported(stdout).map(({ id, status }) => `${id} ${status}`);
    expect(ended.sort()).toEqual(['swept_defence-longer_seed-2 done', 'swept_defence-refused_seed-2 failed']);
    expect(stdout.split('\n').at(-1)).toMatch(
      /RUN_FAILED.*1 of the runs failed: swept_defence-refused_seed-2 \(ROUND_QUORUM_LOST\)/,
    );
    expect(figuresIn(first)['swept_defence-none_seed-2']).toEqual(firstFigures['swept_defence-none_seed-2']);
    expect(readFileSync(join(first, 'report.html'), 'utf8')).toContain('POLICY_REFUSED');
  });

  test('stopped in the middle of a run it goes on with it, and comes to the same figures', async () => {
    const directory = join(folder, 'stopped');
    const file = aGrid('stopped', [relaxed], '[1]');
    const running = started('sweep', file, '--out', directory, '--jobs', '1', '--json');
    await running.waitFor((line) => line.includes('"job"'));
    const second = 'swept_defence-relaxed_seed-1';
    const begun = join(directory, 'jobs', second, 'run', 'coordinator.sqlite');
    await vi.waitFor(
      () => {
        expect(existsSync(begun)).toBe(true);
      },
      { timeout: 60_000 },
    );
    expect(await running.kill('SIGTERM')).toBe(130);
    const { code, stdout } = await parleyDone('sweep', file, '--out', directory, '--json');
    expect(code).toBe(0);
    expect(reported(stdout).map(({ id }) => id)).toEqual([second]);
    expect(figuresIn(directory)).toEqual(only(firstFigures, 'seed-1'));
  });
});

test('a sweep and a run are kept out of the directory of one another', async () => {
  const run = await smallRun('beside');
  const scenario = aScenario('beside');
  const several = join(folder, 'several');
  const file = join(folder, 'two-seeds.yaml');
  writeFileSync(file, `${readFileSync(scenario, 'utf8')}seeds: [1, 2]\n`);
  const seeds = await parleyDone('simulate', file, '--rounds', '1', '--in-process', '--out', several);
  expect(seeds.code, seeds.stderr).toBe(0);
  const grid = aGrid('beside-grid', [], '[1]');
  for (const [directory, ...command] of [
    [run, 'sweep', grid],
    [several, 'sweep', grid],
    [first, 'simulate', scenario, '--in-process'],
  ] as const) {
    const page = readFileSync(join(directory, 'report.html'), 'utf8');
    const files = readdirSync(directory);
    const { code, stderr } = await parleyDone(...command, '--out', directory);
    expect(code, stderr).toBe(7);
    expect(stderr).toMatch(/DIRECTORY_UNWRITABLE: .* holds a (run|sweep) .*give another --out/);
    expect(readFileSync(join(directory, 'report.html'), 'utf8')).toBe(page);
    expect(readdirSync(directory)).toEqual(files);
  }
});

describe.skipIf(!hasRedis)('parley sweep with workers at a queue in Redis', () => {
  test('a worker that is killed costs time and no figure', async () => {
    const redis = await startRedis(folder);
    onTestFinished(redis.stop);
    const file = aGrid('queued', [relaxed], '[1]');
    const worker = (name: string): ParleyProcess =>
      started(
        ...['sweep-worker', '--redis', redis.url, '--jobs', '1', '--lock-seconds', '2', '--json'],
        ...['--out', join(folder, name)],
      );
    const [doomed, other] = [worker('doomed'), worker('other')];
    await Promise.all([doomed, other].map((one) => one.waitFor((line) => line.includes('"ready"'))));
    const out = join(folder, 'queued');
    const sweep = started('sweep', file, '--out', out, '--redis', redis.url, '--json');
    const begun = JSON.parse(await doomed.waitFor((line) => line.includes('"begun"'))) as { begun: string };
    expect(await doomed.kill('SIGKILL')).toBeNull();
    expect(await sweep.exited, sweep.stderr()).toBe(0);
    expect(reported(sweep.lines.join('\n')).map(({ id }) => id)).toContain(begun.begun);
    expect(figuresIn(out)).toEqual(only(firstFigures, 'seed-1'));
    expect(await other.kill('SIGTERM')).toBe(0);
    expect(other.lines.filter((line) => line.includes('"ended"'))).toHaveLength(2);
  });
});
