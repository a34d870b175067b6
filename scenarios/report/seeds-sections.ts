import type { RoundReport } from '../../shared/protocol/report.ts';
import { roundAxis, valueAxis } from './axis.ts';
import { figureOf, level, overRounds } from './charts.ts';
import { claimsSection } from './claims.ts';
import { siloLevelStamp, stamp } from './headline.ts';
import { html, type Markup } from './markup.ts';
import { repeatedBounds, repeatedSection } from './repeated-canaries.ts';
import { isSiloLevel, isSimulation, type SeedRun } from './run.ts';
import { moments, type SeedsRow, seedsRows } from './seeds.ts';
import type { Mark, Point } from './svg.ts';
import { table } from './table.ts';
import { verdict } from './verdict.ts';
import { counted, epsilonText, figure, interval, roundNumber, tprText, utilityName } from './words.ts';

/** The body of the report over seeds. */
export function seedsBody(runs: readonly SeedRun[]): Markup[] {
  const [first] = runs;
  const simulation = runs.some(isSimulation);
  const reports = runs.flatMap((run) => [...run.reports]);
  const last = first?.reports.at(-1);
  return [
    html`<header><h1>${first?.manifest.name ?? 'No runs'}</h1><p>${first?.manifest.description ?? ''}</p>
<p class="facts">${counted(runs.length, 'seed')}: ${runs.map(({ seed }) => seed).join(', ')}</p>${simulation ? stamp() : null}${runs.some(isSiloLevel) ? siloLevelStamp() : null}</header>`,
    html`<section id="means"><h2>Mean and standard deviation over seeds</h2>${meansTable(seedsRows(runs))}</section>`,
    ...(last === undefined ? [] : [chartsSection(runs, reports, last)]),
    ...repeatedSection(repeatedBounds(runs)),
    html`<section id="seeds"><h2>Every seed at its last round</h2>${seedsTable(runs)}</section>`,
    claimsSection(undefined, simulation),
  ];
}

function meansTable(rows: readonly SeedsRow[]): Markup {
  return table<SeedsRow>(
    'Figures of the last finished round of each run; standard deviation with divisor n - 1.',
    [
      { header: 'Figure', cell: (row) => row.figure },
      { header: 'Mean', numeric: true, cell: ({ meanText }) => meanText },
      { header: 'Standard deviation', numeric: true, cell: (row) => row.standardDeviationText },
      { header: 'Runs', numeric: true, cell: ({ values }) => values.length },
      { header: 'Published', wide: true, cell: ({ published }) => published.map(publishedItem) },
    ],
    rows,
  );
}

function publishedItem({ value, source, note }: SeedsRow['published'][number]): Markup {
  return html`<div>${figure(value)} <span class="soft">${source}${note === '' ? '' : `, ${note}`}</span></div>`;
}

function chartsSection(runs: readonly SeedRun[], reports: readonly RoundReport[], last: RoundReport): Markup {
  const name = utilityName(last);
  return html`<section id="rounds"><h2>Over the rounds</h2><div class="charts">
${seedsChart({ id: 'utility', title: 'What the model is worth', name, runs, reports, of: ({ utility }) => utility.value })}
${seedsChart({ id: 'leakage', title: 'What leaks', name: 'attack AUC', runs, reports, of: ({ audit }) => audit.user.auc, chance: 0.5 })}
</div></section>`;
}

interface SeedsChart {
  readonly id: string;
  readonly title: string;
  readonly name: string;
  readonly runs: readonly SeedRun[];
  /** Of all runs together. */
  readonly reports: readonly RoundReport[];
  readonly of: (report: RoundReport) => number;
  readonly chance?: number;
}

function seedsChart({ id, title, name, runs, reports, of, chance }: SeedsChart): Markup {
  const mean = meanOverRounds(reports, of);
  const end = mean.at(-1)?.y ?? 0;
  const levels = chance === undefined ? [] : [level(reports, chance, 'chance')];
  const seeds = runs.map(
    (run): Mark => ({ type: 'line', tone: 'thin', points: overRounds(run.reports, of), label: '' }),
  );
  return figureOf(
    {
      id,
      title,
      summary: `${name} over rounds for ${runs.length} seeds; the mean ends at ${figure(end)}.`,
      x: roundAxis(reports.map(roundNumber)),
      y: valueAxis(name, [...reports.map(of), ...(chance === undefined ? [] : [chance])]),
      marks: [
        ...levels,
        ...seeds,
        { type: 'line', tone: 'first', points: mean, label: `mean ${figure(end)}` },
      ],
      readings: mean.map(({ x, y }) => ({ x, text: `round ${x}: mean ${figure(y)}` })),
      labelWidth: 134,
    },
    'After each round: every seed thin, their mean bold.',
  );
}

/** Mean over the runs that finished a round, for every round that any run finished. */
function meanOverRounds(reports: readonly RoundReport[], of: (report: RoundReport) => number): Point[] {
  const rounds = [...new Set(reports.map(roundNumber))].sort((a, b) => a - b);
  return rounds.flatMap((x) => {
    const { mean } = moments(reports.filter((report) => roundNumber(report) === x).map(of));
    return mean === null ? [] : [{ x, y: mean }];
  });
}

function seedsTable(runs: readonly SeedRun[]): Markup {
  const lastOf = (write: (last: RoundReport) => string) => (run: SeedRun) => {
    const last = run.reports.at(-1);
    return last === undefined ? 'n/a' : write(last);
  };
  return table<SeedRun>(
    'One line for each seed.',
    [
      { header: 'Seed', numeric: true, cell: ({ seed }) => seed },
      { header: 'Rounds', numeric: true, cell: ({ reports }) => reports.length },
      { header: 'Utility', numeric: true, cell: lastOf(({ utility }) => figure(utility.value)) },
      {
        header: 'ε coordinator',
        numeric: true,
        cell: lastOf(({ epsilon }) => epsilonText(epsilon.coordinator)),
      },
      {
        header: 'ε recipients',
        numeric: true,
        cell: lastOf(({ epsilon }) => epsilonText(epsilon.recipients)),
      },
      {
        header: 'Attack AUC',
        numeric: true,
        cell: lastOf(({ audit }) => `${figure(audit.user.auc)} ${interval(audit.user)}`),
      },
      { header: 'TPR@1%', numeric: true, cell: lastOf(({ audit }) => tprText(audit.user, 0.01)) },
      { header: 'Verdict', wide: true, cell: ({ reports }) => verdict(reports).title },
    ],
    runs,
  );
}
