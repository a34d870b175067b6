import { meanEstimate } from '../../shared/stats/mean.ts';
import type { Cell } from './cells.ts';
import type { DoneRun, FailedJob, JobFigures } from './result.ts';

/** One figure of a cell over its seeds. */
export interface Estimate {
  /** Of each run that has the figure, in the order of the seeds. */
  readonly values: readonly number[];
  readonly mean: number;
  /** 95 %; null where there is none. */
  readonly low: number | null;
  readonly high: number | null;
  /** Student's interval over seeds; or, where a single run has the figure, that run's own over its audit users. */
  readonly interval: 'seeds' | 'run' | 'none';
}

/** What the runs of one cell found. Figures are null where no run has them. */
export interface CellSummary {
  readonly cell: string;
  readonly base: string;
  readonly labels: readonly string[];
  readonly runs: readonly DoneRun[];
  readonly failed: readonly FailedJob[];
  readonly metric: JobFigures['utility']['metric'] | null;
  readonly utility: Estimate | null;
  readonly userMia: Estimate | null;
  readonly tpr: Estimate | null;
  readonly worstGroup: Estimate | null;
  readonly mislabelled: Estimate | null;
  /** Nats; infinite where nothing is promised. */
  readonly epsilonCoordinator: Estimate | null;
  readonly epsilonRecipients: Estimate | null;
  readonly seconds: Estimate | null;
  /** Runs whose audit's controls passed. */
  readonly controlsPassed: number;
  /** On the frontier of utility and the declared attack, and of utility and the mislabelled canaries. */
  readonly frontier: { readonly userMia: boolean; readonly mislabelled: boolean };
}

/** Which figure stands for leakage. */
export type Leakage = 'userMia' | 'mislabelled';

/** Summaries in an object as JSON, which has no infinity. */
export function summariesJson(content: object): string {
  return JSON.stringify(content, (_, value: unknown) => (value === Infinity ? 'infinite' : value), 2);
}

/** What a cell is called. */
export type CellNames = Pick<Cell, 'name' | 'base' | 'labels'>;

/** Every cell's figures over its seeds, and which cells lie on the frontiers of their base scenario. */
export function summaries(
  cells: readonly CellNames[],
  results: readonly (DoneRun | FailedJob)[],
): CellSummary[] {
  const all = cells.map((cell) =>
    summaryOf(
      cell,
      results.filter((result) => result.cell === cell.name),
    ),
  );
  return all.map((summary) => {
    const rivals = all.filter(({ base }) => base === summary.base);
    const frontier = {
      userMia: isOnFrontier(summary, rivals, 'userMia'),
      mislabelled: isOnFrontier(summary, rivals, 'mislabelled'),
    };
    return { ...summary, frontier };
  });
}

/**
 * Whether no rival is worth at least as much and leaks at most as much, one of the two strictly. An AUC below one half is
 * chance like one half. A cell without figures is on no frontier.
 */
function isOnFrontier(summary: CellSummary, rivals: readonly CellSummary[], leakage: Leakage): boolean {
  const own = placeOf(summary, leakage);
  if (own === undefined) return false;
  return !rivals.some((rival) => {
    const other = placeOf(rival, leakage);
    if (other === undefined || other.worth < own.worth || other.leaks > own.leaks) return false;
    return other.worth > own.worth || other.leaks < own.leaks;
  });
}

function placeOf(summary: CellSummary, leakage: Leakage): { worth: number; leaks: number } | undefined {
  const { utility, [leakage]: leaks } = summary;
  if (utility === null || leaks === null) return undefined;
  return { worth: utility.mean, leaks: Math.max(0.5, leaks.mean) };
}

function summaryOf(
  { name, base, labels }: CellNames,
  results: readonly (DoneRun | FailedJob)[],
): CellSummary {
  const runs = results.filter((result) => result.status === 'done');
  const failed = results.filter((result) => result.status === 'failed');
  const figures = runs.map((run) => run.figures);
  const over = (of: (figures: JobFigures) => Figure | null): Estimate | null => estimate(figures.map(of));
  return {
    ...{ cell: name, base, labels, runs, failed },
    metric: figures[0]?.utility.metric ?? null,
    utility: over(({ utility }) => ({ value: utility.value })),
    userMia: over(({ userMia }) => auc(userMia)),
    tpr: over(({ tpr }) => tpr && { value: tpr.tpr, own: tpr }),
    worstGroup: over(({ worstGroup }) => worstGroup && auc(worstGroup)),
    mislabelled: over(({ mislabelled }) => mislabelled && auc(mislabelled)),
    epsilonCoordinator: over(({ epsilon }) => nats(epsilon.coordinator)),
    epsilonRecipients: over(({ epsilon }) => nats(epsilon.recipients)),
    seconds: over(({ seconds }) => ({ value: seconds })),
    controlsPassed: figures.filter(({ controlsPassed }) => controlsPassed).length,
    frontier: { userMia: false, mislabelled: false },
  };
}

interface Figure {
  readonly value: number;
  /** The run's own interval. */
  readonly own?: { readonly low: number; readonly high: number };
}

function auc(result: { auc: number; low: number; high: number }): Figure {
  return { value: result.auc, own: result };
}

function nats(epsilon: JobFigures['epsilon']['coordinator']): Figure {
  return { value: epsilon === 'infinite' ? Infinity : epsilon };
}

function estimate(figures: readonly (Figure | null)[]): Estimate | null {
  const present = figures.filter((figure) => figure !== null);
  const [first] = present;
  if (first === undefined) return null;
  const values = present.map(({ value }) => value);
  const over = meanEstimate(values);
  if (values.length > 1) return { values, ...over, interval: over.low === null ? 'none' : 'seeds' };
  const { low, high } = first.own ?? { low: null, high: null };
  return { values, mean: over.mean, low, high, interval: low === null ? 'none' : 'run' };
}
