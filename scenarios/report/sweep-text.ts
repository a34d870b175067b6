import type { CellSummary } from '../sweep/summary.ts';
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
import { textTable } from './text-table.ts';

/** The cells of a sweep as text: for each base scenario a table, then what its marks mean. */
export function sweepText(cells: readonly CellSummary[]): string {
  const tables = byBase(cells).map(([base, group]) => tableOf(base, group).join('\n'));
  const notes = [
    'Means over seeds of the last round of each run, with 95 % intervals by Student’s t.',
    'frontier: no other cell of the scenario is worth as much and leaks less ("yes": user-MIA AUC; "canaries": AUC of mislabelled ones).',
    ...(hasOwnIntervals(cells) ? [ownNote] : []),
  ];
  return `${tables.join('\n\n')}\n\n${notes.join('\n')}`;
}

type TextColumn = readonly [header: string, cell: (summary: CellSummary) => string];

function tableOf(base: string, cells: readonly CellSummary[]): string[] {
  const metric = cells.find((cell) => cell.metric !== null)?.metric ?? 'utility';
  const canaries: TextColumn = ['mislabelled AUC', ({ mislabelled }) => estimateText(mislabelled)];
  const columns: TextColumn[] = [
    [base, shortName],
    ['runs', runsText],
    [`test ${metric}`, ({ utility }) => estimateText(utility)],
    ['user-MIA AUC', ({ userMia }) => estimateText(userMia)],
    ['TPR@1%', ({ tpr }) => rateText(tpr)],
    ['worst group AUC', ({ worstGroup }) => estimateText(worstGroup)],
    ...(cells.some(({ mislabelled }) => mislabelled !== null) ? [canaries] : []),
    ['eps coordinator', ({ epsilonCoordinator }) => epsilonsText(epsilonCoordinator)],
    ['eps recipients', ({ epsilonRecipients }) => epsilonsText(epsilonRecipients)],
    ['time', ({ seconds }) => (seconds === null ? 'n/a' : durationText(seconds.mean))],
    ['frontier', frontierText],
  ];
  return textTable(
    columns.map(([header]) => header),
    cells.map((summary) => columns.map(([, cell]) => cell(summary))),
    ['frontier', 'runs'],
  );
}
