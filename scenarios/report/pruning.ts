import type { Leakage, PruningReport } from '../../shared/protocol/pruning-report.ts';
import { lossQuantiles } from '../../shared/protocol/pruning-report.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { html, type Markup } from './markup.ts';
import { type Column, table } from './table.ts';
import {
  counted,
  countText,
  figure,
  interval,
  percent,
  roundNumber,
  tprName,
  tprText,
  utilityName,
} from './words.ts';

/** Sparsity of a model and what its mask saves of a release: `75.0% sparse, upload 25.1%`. */
export function sparsityText({ sparsity, uploadBytes, fullUploadBytes }: PruningReport): string {
  return `${percent(sparsity)} sparse, upload ${percent(uploadBytes / fullUploadBytes)}`;
}

/** What pruning did, in plain text: how sparse the last model is, then each step. Empty in a run that does not prune. */
export function pruningLines(reports: readonly RoundReport[], last: RoundReport): [string, string][] {
  const { pruning } = last;
  if (!pruning) return [];
  const steps = stepsOf(reports).map(
    ({ report, before, after }) =>
      `; after round ${roundNumber(report)} ${utilityName(report)} ${figure(before.utility.value)} to ${figure(after.utility.value)}, AUC ${figure(before.user.auc)} to ${figure(after.user.auc)}`,
  );
  return [
    ['pruning', `${sparsityText(pruning)} of ${counted(pruning.fullUploadBytes, 'byte')}${steps.join('')}`],
  ];
}

interface Step {
  readonly report: RoundReport;
  readonly pruning: PruningReport;
  readonly before: Leakage;
  readonly after: Leakage;
}

function stepsOf(reports: readonly RoundReport[]): Step[] {
  return reports.flatMap((report) => {
    const { pruning } = report;
    return pruning?.step ? [{ report, pruning, before: pruning.step.before, after: pruning.step.after }] : [];
  });
}

interface Row {
  readonly name: string;
  readonly sparsity: number;
  readonly report: RoundReport;
  readonly leakage: Leakage;
}

/** Every pruning step with utility, leakage and losses of the model before and after. Nothing in a run that does not prune. */
export function pruningSection(reports: readonly RoundReport[], last: RoundReport): Markup[] {
  if (!last.pruning) return [];
  const steps = stepsOf(reports);
  const rows = steps.flatMap(({ report, pruning, before, after }, index): Row[] => {
    const earlier = steps[index - 1]?.pruning.sparsity ?? initialSparsity(pruning);
    const at = `round ${roundNumber(report)}`;
    return [
      { name: `${at}, before`, sparsity: earlier, report, leakage: before },
      { name: `${at}, after`, sparsity: pruning.sparsity, report, leakage: after },
    ];
  });
  const body =
    rows.length === 0 ? html`<p class="note">No step so far.</p>` : [stepsTable(rows), lossesTable(rows)];
  return [
    html`<section id="pruning"><h2>Pruning</h2><p>The last model keeps ${countText(last.pruning.kept)} parameters: ${sparsityText(last.pruning)} of what it was.</p>${body}</section>`,
  ];
}

/** Of the model that a step pruned. */
function initialSparsity({ kept, sparsity, step }: PruningReport): number {
  const all = kept / (1 - sparsity);
  return 1 - (kept + (step?.pruned ?? 0)) / all;
}

function fprsOf(rows: readonly Row[]): number[] {
  return rows[0]?.leakage.user.tprAtFpr.map(({ fpr }) => fpr) ?? [];
}

const nameColumn: Column<Row> = { header: 'Model', cell: ({ name }) => name };

function stepsTable(rows: readonly Row[]): Markup {
  return table<Row>(
    'Each step, on the same audit users before and after; 95 % intervals of the declared attack.',
    [
      nameColumn,
      { header: 'Sparsity', numeric: true, cell: ({ sparsity }) => percent(sparsity) },
      { header: 'Utility', numeric: true, cell: ({ leakage }) => figure(leakage.utility.value) },
      {
        header: 'Attack AUC',
        numeric: true,
        cell: ({ leakage: { user } }) => `${figure(user.auc)} ${interval(user)}`,
      },
      ...fprsOf(rows).map(
        (fpr): Column<Row> => ({
          header: tprName(fpr),
          numeric: true,
          cell: ({ leakage: { user } }) => tprText(user, fpr),
        }),
      ),
    ],
    rows,
  );
}

function lossesTable(rows: readonly Row[]): Markup {
  const quantiles = (of: (leakage: Leakage) => readonly number[], who: string): Column<Row>[] =>
    lossQuantiles.map((level, index) => ({
      header: `${who} ${percent(level)}`,
      numeric: true,
      cell: ({ leakage }) => figure(of(leakage)[index] ?? NaN),
    }));
  return table<Row>(
    'Quantiles of the users’ mean losses in nats.',
    [
      nameColumn,
      ...quantiles(({ memberLosses }) => memberLosses, 'Members'),
      ...quantiles(({ heldOutLosses }) => heldOutLosses, 'Held-out'),
    ],
    rows,
  );
}
