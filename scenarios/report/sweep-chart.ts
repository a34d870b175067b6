import type { CellSummary, Estimate, Leakage } from '../sweep/summary.ts';
import { valueAxis } from './axis.ts';
import { figureOf } from './charts.ts';
import type { Markup } from './markup.ts';
import type { Mark } from './svg.ts';
import { estimateText, shortName } from './sweep-words.ts';
import { figure } from './words.ts';

/** A cell with the number that stands for it in tables and charts. */
export interface NumberedCell extends CellSummary {
  readonly number: number;
}

const titles = { userMia: 'Utility and leakage', mislabelled: 'Utility and those easiest to find' } as const;
const leakageNames = { userMia: 'user-MIA AUC', mislabelled: 'AUC of mislabelled canaries' } as const;

/**
 * Utility over leakage for the cells of one base scenario, with intervals as whiskers and the frontier joined by a line; null
 * where no cell has both figures. `id` is unique in the page.
 */
export function frontierChart(id: string, cells: readonly NumberedCell[], leakage: Leakage): Markup | null {
  const placed = cells.flatMap((cell) => {
    const { utility, [leakage]: leaks } = cell;
    return utility === null || leaks === null ? [] : [{ cell, utility, leaks }];
  });
  if (placed.length === 0) return null;
  const metric = cells.find((cell) => cell.metric !== null)?.metric ?? 'auc';
  const first = placed.filter(({ cell }) => cell.frontier[leakage]);
  const line = first.map(({ utility, leaks }) => ({ x: leaks.mean, y: utility.mean }));
  line.sort((a, b) => a.x - b.x);
  const summary = `Mean test ${metric} over mean ${leakageNames[leakage]} of ${placed.length} cells; the frontier: ${first
    .map(({ cell, utility, leaks }) => `${shortName(cell)} (${figure(utility.mean)}, ${figure(leaks.mean)})`)
    .join('; ')}.`;
  return figureOf(
    {
      ...{ id, title: titles[leakage], summary },
      x: valueAxis(leakageNames[leakage], [0.5, ...placed.flatMap(({ leaks }) => ends(leaks))]),
      y: valueAxis(
        `test ${metric}`,
        placed.flatMap(({ utility }) => ends(utility)),
      ),
      marks: [
        { type: 'line', tone: 'reference', points: line, label: '' },
        ...placed.map(({ cell, utility, leaks }): Mark => pointOf(cell, utility, { leakage, leaks })),
      ],
      readings: [],
      labelWidth: 24,
    },
    'Better is up and to the left. Numbers are those of the table; whiskers are 95 % intervals; the dotted line joins the frontier.',
  );
}

function pointOf(
  cell: NumberedCell,
  utility: Estimate,
  { leakage, leaks }: { leakage: Leakage; leaks: Estimate },
): Mark {
  const [xRange, yRange] = [range(leaks), range(utility)];
  return {
    type: 'point',
    tone: cell.frontier[leakage] ? 'first' : 'thin',
    at: { x: leaks.mean, y: utility.mean },
    ...(xRange && { xRange }),
    ...(yRange && { yRange }),
    label: String(cell.number),
    text: `${cell.number} ${shortName(cell)}: utility ${estimateText(utility)}, ${leakageNames[leakage]} ${estimateText(leaks)}`,
  };
}

function range({ low, high }: Estimate): { low: number; high: number } | undefined {
  return low === null || high === null ? undefined : { low, high };
}

function ends({ mean, low, high }: Estimate): number[] {
  return [mean, low ?? mean, high ?? mean];
}
