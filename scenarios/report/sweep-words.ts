import type { CellSummary, Estimate } from '../sweep/summary.ts';
import { epsilonText, figure, percent } from './words.ts';

/** What stands after an interval that is a single run's own. */
export const ownMark = '*';

/** What `ownMark` means. */
export const ownNote =
  '* one run has this figure: the interval is that run’s own, over its audit users, and says nothing about other seeds';

/** An estimate with its interval: `0.886 [0.861, 0.911]`, `n/a` where no run has it. */
export function estimateText(estimate: Estimate | null, write: (value: number) => string = figure): string {
  if (estimate === null) return 'n/a';
  const { mean, low, high, interval } = estimate;
  if (low === null || high === null) return write(mean);
  return `${write(mean)} [${write(low)}, ${write(high)}]${interval === 'run' ? ownMark : ''}`;
}

/** A rate with its interval. */
export function rateText(estimate: Estimate | null): string {
  return estimateText(estimate, percent);
}

/** Epsilon of a cell, rounded up. It comes from the plan, so runs of one length have the same. */
export function epsilonsText(estimate: Estimate | null): string {
  if (estimate === null) return 'n/a';
  return epsilonText(estimate.mean === Infinity ? 'infinite' : estimate.mean);
}

/** A duration in the largest unit that fits: `42 s`, `3.5 min`, `2.1 h`. */
export function durationText(seconds: number): string {
  if (seconds < 90) return `${seconds.toFixed(seconds < 10 ? 1 : 0)} s`;
  return seconds < 5_400 ? `${(seconds / 60).toFixed(1)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

/** What a cell is called among those of its base scenario. */
export function shortName({ labels, base }: Pick<CellSummary, 'labels' | 'base'>): string {
  return labels.length === 0 ? base : labels.join(', ');
}

/** How many runs a cell has, and what is wrong with them: `5`, `4 of 5`, `5, controls failed in 1`, `5, not user-level private`. */
export function runsText({ runs, failed, controlsPassed }: CellSummary): string {
  const count = failed.length === 0 ? `${runs.length}` : `${runs.length} of ${runs.length + failed.length}`;
  const stopped = runs.filter(({ outcome }) => outcome === 'stopped').length;
  return [
    count,
    ...(stopped === 0 ? [] : [`${stopped} stopped early`]),
    ...(controlsPassed === runs.length ? [] : [`controls failed in ${runs.length - controlsPassed}`]),
    ...new Set(runs.flatMap(({ figures: { silo } }) => (silo === undefined ? [] : [silo]))),
  ].join(', ');
}

/** The frontiers that a cell is on: `yes` for the declared attack, `canaries` for those with wrong labels. */
export function frontierText({ frontier }: CellSummary): string {
  return [...(frontier.userMia ? ['yes'] : []), ...(frontier.mislabelled ? ['canaries'] : [])].join(', ');
}

/** Groups of cells by their base scenario, in order. */
export function byBase<Cell extends CellSummary>(cells: readonly Cell[]): [base: string, cells: Cell[]][] {
  const bases = [...new Set(cells.map(({ base }) => base))];
  return bases.map((base) => [base, cells.filter((cell) => cell.base === base)]);
}

/** Whether any shown interval is a single run's own. */
export function hasOwnIntervals(cells: readonly CellSummary[]): boolean {
  return cells.some((cell) =>
    [cell.userMia, cell.tpr, cell.worstGroup, cell.mislabelled].some((one) => one?.interval === 'run'),
  );
}
