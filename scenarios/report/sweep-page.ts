import { shownGrid } from '../sweep/grid.ts';
import type { Sweep } from '../sweep/jobs.ts';
import type { DoneRun, FailedJob } from '../sweep/result.ts';
import type { CellSummary } from '../sweep/summary.ts';
import { claimsSection } from './claims.ts';
import { stamp } from './headline.ts';
import { html, type Markup } from './markup.ts';
import { page } from './page.ts';
import { frontierChart, type NumberedCell } from './sweep-chart.ts';
import {
  byBase,
  durationText,
  epsilonsText,
  estimateText,
  frontierText,
  hasOwnIntervals,
  ownNote,
  rateText,
  runsText,
  shortName,
} from './sweep-words.ts';
import { type Column, table } from './table.ts';
import { counted, epsilonText, figure, interval, percent, plain } from './words.ts';

/** The report of a sweep as one self-contained page: for each base scenario the frontier as charts and as a table. */
export function sweepHtml({ grid, jobs }: Sweep, cells: readonly CellSummary[]): string {
  const failed = cells.flatMap((cell) => cell.failed);
  return page(grid.name, [
    html`<header><h1>${grid.name}</h1><p>${grid.description}</p>
<p class="facts">${counted(cells.length, 'cell')} · ${counted(jobs.length, 'run')}</p>${stamp()}</header>`,
    ...(failed.length === 0 ? [] : [failedSection(failed)]),
    ...frontierSections(cells),
    claimsSection(undefined, true),
    html`<section id="grid"><h2>The grid</h2><pre tabindex="0">${JSON.stringify(shownGrid(grid), null, 2)}</pre></section>`,
  ]);
}

/** For each base scenario its frontier as charts and as a table. */
export function frontierSections(cells: readonly CellSummary[]): Markup[] {
  const numbered = cells.map((cell, index) => ({ ...cell, number: index + 1 }));
  return byBase(numbered).map(([base, group], index) => baseSection(base, group, index));
}

function baseSection(base: string, cells: readonly NumberedCell[], index: number): Markup {
  const charts = (['userMia', 'mislabelled'] as const)
    .map((leakage) =>
      frontierChart(`${leakage === 'userMia' ? 'leakage' : 'canaries'}-${index}`, cells, leakage),
    )
    .filter((chart) => chart !== null);
  return html`<section id="scenario-${index}"><h2>${base}</h2><div class="charts">${charts}</div>
${cellsTable(cells)}
<p class="note">On the frontier: no other cell of this scenario is worth at least as much and leaks at most as much (“yes”: user-MIA AUC; “canaries”: mislabelled AUC).</p>
${hasOwnIntervals(cells) ? html`<p class="note">${ownNote}.</p>` : null}
<details><summary>Every run</summary>${runsTable(cells.flatMap(({ runs }) => runs))}</details></section>`;
}

function cellsTable(cells: readonly NumberedCell[]): Markup {
  const metric = cells.find((cell) => cell.metric !== null)?.metric ?? 'utility';
  const number = (header: string, cell: Column<NumberedCell>['cell']): Column<NumberedCell> => ({
    ...{ header, cell, numeric: true },
  });
  const canaries = number('Mislabelled AUC', ({ mislabelled }) => estimateText(mislabelled));
  return table<NumberedCell>(
    'Means over seeds of each run’s last round, with 95 % intervals by Student’s t.',
    [
      { header: 'Cell', wide: true, cell: (cell) => `${cell.number} ${shortName(cell)}` },
      { header: 'Runs', cell: runsText },
      number(`Test ${metric}`, ({ utility }) => estimateText(utility)),
      number('User-MIA AUC', ({ userMia }) => estimateText(userMia)),
      number('TPR@1%', ({ tpr }) => rateText(tpr)),
      number('Worst group AUC', ({ worstGroup }) => estimateText(worstGroup)),
      ...(cells.some(({ mislabelled }) => mislabelled !== null) ? [canaries] : []),
      number('ε coordinator', ({ epsilonCoordinator }) => epsilonsText(epsilonCoordinator)),
      number('ε recipients', ({ epsilonRecipients }) => epsilonsText(epsilonRecipients)),
      number('Time', ({ seconds }) => (seconds === null ? 'n/a' : durationText(seconds.mean))),
      { header: 'Frontier', cell: frontierText },
    ],
    cells,
  );
}

function runsTable(runs: readonly DoneRun[]): Markup {
  const number = (header: string, cell: (figures: DoneRun['figures']) => string): Column<DoneRun> => ({
    ...{ header, numeric: true, cell: ({ figures }: DoneRun) => cell(figures) },
  });
  const aucText = (result: { auc: number; low: number; high: number } | null): string =>
    result === null ? 'n/a' : `${figure(result.auc)} ${interval(result)}`;
  return table<DoneRun>(
    'One line for each run; intervals are the run’s own, over its audit users.',
    [
      { header: 'Cell', wide: true, cell: ({ cell }) => cell },
      { header: 'Seed', numeric: true, cell: ({ seed }) => seed ?? 'secure' },
      number('Rounds', ({ rounds }) => String(rounds)),
      number('Utility', ({ utility }) => figure(utility.value)),
      number('User-MIA AUC', ({ userMia }) => aucText(userMia)),
      number('TPR@1%', ({ tpr }) => (tpr === null ? 'n/a' : percent(tpr.tpr))),
      number('Worst group AUC', ({ worstGroup }) => aucText(worstGroup)),
      number('Mislabelled AUC', ({ mislabelled }) => aucText(mislabelled)),
      number('ε coordinator', ({ epsilon }) => epsilonText(epsilon.coordinator)),
      number('Controls', ({ controlsPassed }) => (controlsPassed ? 'passed' : 'FAILED')),
      number('Time', ({ seconds }) => durationText(seconds)),
    ],
    runs,
  );
}

function failedSection(failed: readonly FailedJob[]): Markup {
  return html`<section id="failed"><h2>Runs that failed</h2>${table<FailedJob>(
    'They are left out of every mean; the same command runs them again.',
    [
      { header: 'Cell', wide: true, cell: ({ cell }) => cell },
      { header: 'Seed', numeric: true, cell: ({ seed }) => seed },
      { header: 'Error', cell: ({ error }) => error.code },
      { header: 'Message', wide: true, cell: ({ error }) => plain(error.message) },
    ],
    failed,
  )}</section>`;
}
