import { describe, expect, test } from 'vitest';
import { sweepHtml } from '../../../scenarios/report/sweep-page.ts';
import { sweepText } from '../../../scenarios/report/sweep-text.ts';
import { loadScenario } from '../../../scenarios/scenario.ts';
import type { Cell } from '../../../scenarios/sweep/cells.ts';
import { loadGrid } from '../../../scenarios/sweep/grid.ts';
import { progressOf } from '../../../scenarios/sweep/progress.ts';
import { figuresOf, type JobFigures, JobResult } from '../../../scenarios/sweep/result.ts';
import { summaries } from '../../../scenarios/sweep/summary.ts';
import { aManifest, aReport } from '../../support/a-report.ts';

const scenario = loadScenario('scenarios/catalog/leaky.yaml');

function cell(label: string, base = 'leaky'): Cell {
  const name = `${base}, ${label}`;
  return { name, folder: name, base, labels: [label], scenario };
}

const figures = figuresOf({ manifest: aManifest(), reports: [aReport()] })!;

function done({ name }: Cell, seed: number, change: Partial<JobFigures> = {}): JobResult {
  return JobResult.parse({
    ...{ id: `${name}-${seed}`, cell: name, seed, hash: '0'.repeat(64), status: 'done', outcome: 'finished' },
    ...{ detail: '', figures: { ...figures, ...change } },
  });
}

function failed({ name }: Cell, seed: number): JobResult {
  const error = { code: 'RUN_FAILED', message: '<b>no' };
  return JobResult.parse({
    id: `${name}-${seed}`,
    cell: name,
    seed,
    hash: '0'.repeat(64),
    status: 'failed',
    error,
  });
}

function worth(value: number, auc: number): Partial<JobFigures> {
  const userMia = { attack: 'mean-log-ratio', auc, low: auc - 0.01, high: auc + 0.01 };
  return { utility: { metric: 'accuracy', value, accuracy: value, loss: 1 }, userMia };
}

describe('a cell over its seeds', () => {
  const one = cell('a');

  test("has means with Student's intervals", () => {
    // Mean +- t s / sqrt(n), with t = 4.3027 at 2 degrees of freedom.
    const half = (4.30265272974946 * 0.0032145502536643214) / Math.sqrt(3);
    const results = [0.671, 0.666, 0.672].map((value, index) => done(one, index + 1, worth(value, 0.6)));
    const { utility, userMia } = summaries([one], results)[0]!;
    expect(utility).toMatchObject({ values: [0.671, 0.666, 0.672], interval: 'seeds' });
    expect(utility?.low).toBeCloseTo(0.6696666666666667 - half, 9);
    expect(utility?.high).toBeCloseTo(0.6696666666666667 + half, 9);
    expect(userMia?.low).toBeCloseTo(0.6, 12);
  });

  test("has the run's own interval of attacks when it has one seed, and says so", () => {
    const [summary] = summaries([one], [done(one, 1, worth(0.7, 0.6))]);
    expect(summary?.userMia).toEqual({ values: [0.6], mean: 0.6, low: 0.59, high: 0.61, interval: 'run' });
    expect(summary?.utility).toMatchObject({ mean: 0.7, low: null, interval: 'none' });
    const text = sweepText([summary!]);
    expect(text).toContain('0.600 [0.590, 0.610]*');
    expect(text).toContain('says nothing about other seeds');
  });

  test('leaves failed runs out, and figures that no run has', () => {
    const results = [done(one, 1, { mislabelled: null, tpr: null }), failed(one, 2)];
    const [summary] = summaries([one], results);
    expect(summary).toMatchObject({ mislabelled: null, tpr: null });
    expect(summary?.failed).toHaveLength(1);
    expect(sweepText([summary!])).toMatch(/1 of 2 .* n\/a/);
    expect(summaries([one], [failed(one, 1)])[0]).toMatchObject({ utility: null, metric: null });
  });

  test('is infinite in epsilon where a run is, without an interval', () => {
    const epsilon = { coordinator: 'infinite', recipients: 2, delta: 1e-6 } as const;
    const results = [1, 2].map((seed) => done(one, seed, { epsilon }));
    const [summary] = summaries([one], results);
    expect(summary?.epsilonCoordinator).toMatchObject({ mean: Infinity, low: null, interval: 'none' });
    expect(sweepText([summary!])).toMatch(/ inf +2\.00 /);
  });
});

describe('the frontier', () => {
  const places: [label: string, value: number, auc: number, onIt: boolean][] = [
    ['best', 0.8, 0.9, true],
    ['worse and leakier', 0.7, 0.95, false],
    ['as good, leakier', 0.8, 0.91, false],
    ['middle', 0.6, 0.6, true],
    ['below chance', 0.5, 0.45, false],
    ['chance', 0.55, 0.5, true],
    ['its equal', 0.55, 0.5, true],
  ];
  const cells = places.map(([label]) => cell(label));
  const results = places.map(([label, value, auc]) => done(cell(label), 1, worth(value, auc)));

  test('holds what nothing beats, and takes an AUC below one half as one half', () => {
    const found = summaries(cells, results).map(({ frontier }) => frontier.userMia);
    expect(found).toEqual(places.map(([, , , onIt]) => onIt));
  });

  test('compares within a base scenario only, and knows no place for a cell without figures', () => {
    const other = cell('alone', 'heart');
    const empty = cell('failed');
    const found = summaries(
      [...cells, other, empty],
      [...results, done(other, 1, worth(0.1, 0.99)), failed(empty, 1)],
    );
    expect(found.find(({ base }) => base === 'heart')?.frontier.userMia).toBe(true);
    expect(found.at(-1)?.frontier).toEqual({ userMia: false, mislabelled: false });
  });
});

describe('the report of a sweep', () => {
  const cells = [cell('a'), cell('b'), cell('c<script>', 'heart')];
  const strayed = { auc: 0.8, low: 0.7, high: 0.9 };
  const results = [
    ...[1, 2].map((seed) => done(cells[0]!, seed, { ...worth(0.7, 0.6 + seed / 100), mislabelled: strayed })),
    done(cells[1]!, 1, worth(0.6, 0.5)),
    failed(cells[1]!, 2),
    done(cells[2]!, 1),
  ];
  const sweep = { grid: loadGrid('scenarios/catalog/noise-grid.yaml'), cells, jobs: [] };

  test('is one file without scripts, broken figures or text that became markup', () => {
    const page = sweepHtml(sweep, summaries(cells, results));
    expect(page).not.toMatch(/<script|NaN|Infinity|undefined|\[object|src=|https?:/);
    expect(page).toContain('c&lt;script&gt;');
    expect(page).toContain('&lt;b&gt;no');
    expect(page).toContain('simulation: not private');
  });

  test('draws each scenario with whiskers, and the mislabelled canaries where there are any', () => {
    const page = sweepHtml(sweep, summaries(cells, results));
    expect(page.match(/<figure id="[\w-]+"/g)).toEqual([
      '<figure id="leakage-0"',
      '<figure id="canaries-0"',
      '<figure id="leakage-1"',
      ...(figures.mislabelled ? ['<figure id="canaries-1"'] : []),
    ]);
    expect(page.match(/class="whisker/g)?.length).toBeGreaterThanOrEqual(4);
  });

  test('stands also when every run failed', () => {
    const page = sweepHtml(sweep, summaries(cells, [failed(cells[0]!, 1)]));
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
    expect(page).toContain('Runs that failed');
  });
});

test('progress counts kept jobs as done and estimates from the others', () => {
  let time = 0;
  const line = progressOf({ total: 5, kept: 2, now: () => time });
  time = 60_000;
  expect(line(done(cell('a'), 1, worth(0.7, 0.6)))).toBe(
    '3/5  leaky, a, seed 1: accuracy 0.700, user-MIA AUC 0.600  60 s, about 2.0 min left',
  );
  line(done(cell('a'), 2));
  expect(line(failed(cell('a'), 3))).toBe('5/5  leaky, a, seed 3: FAILED: RUN_FAILED: <b>no  60 s');
});
