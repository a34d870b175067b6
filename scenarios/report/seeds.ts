import type { PublishedFigure } from '../../shared/protocol/manifest.ts';
import type { ReportedEpsilon, RoundReport } from '../../shared/protocol/report.ts';
import type { SeedRun } from './run.ts';
import { epsilonText, figure, measuredTpr, percent, secondsText } from './words.ts';

/** One figure of the last round over all seeds. `mean` and `standardDeviation` are null where they do not exist. */
export interface SeedsRow {
  readonly figure: string;
  /** One value for each run with a finished round and this figure. */
  readonly values: readonly number[];
  readonly mean: number | null;
  /** Sample standard deviation (divisor n - 1); null for fewer than two values. */
  readonly standardDeviation: number | null;
  /** The same two as the report shows them. */
  readonly meanText: string;
  readonly standardDeviationText: string;
  readonly published: readonly PublishedFigure[];
}

interface Quantity {
  readonly name: string;
  readonly metric?: PublishedFigure['metric'];
  readonly of: (last: RoundReport) => number | undefined;
  readonly write: (value: number) => string;
  /** How a standard deviation is written, where not as the value. */
  readonly writeSpread?: (value: number) => string;
}

const quantities: readonly Quantity[] = [
  {
    name: 'test AUC',
    metric: 'auc',
    of: ({ utility }) => (utility.metric === 'auc' ? utility.value : undefined),
    write: figure,
  },
  { name: 'test accuracy', metric: 'accuracy', of: ({ utility }) => utility.accuracy, write: figure },
  { name: 'test loss', of: ({ utility }) => utility.loss, write: figure },
  {
    name: 'epsilon, coordinator',
    of: ({ epsilon }) => nats(epsilon.coordinator),
    write: epsilonFigure,
    writeSpread: figure,
  },
  {
    name: 'epsilon, model recipients',
    of: ({ epsilon }) => nats(epsilon.recipients),
    write: epsilonFigure,
    writeSpread: figure,
  },
  { name: 'user-MIA AUC', metric: 'attack-auc', of: ({ audit }) => audit.user.auc, write: figure },
  { name: 'TPR@1%', of: ({ audit }) => measuredTpr(audit.user, 0.01)?.tpr, write: percent },
  { name: 'worst group AUC', of: ({ audit }) => audit.worstGroup?.auc, write: figure },
  { name: 'time of the last round', of: ({ seconds }) => seconds, write: secondsText },
];

/** Mean and standard deviation over seeds of each figure of the runs' last rounds, beside what was published. */
export function seedsRows(runs: readonly SeedRun[]): SeedsRow[] {
  const lasts = runs.flatMap(({ reports }) => reports.at(-1) ?? []);
  const published = distinct(runs.flatMap(({ manifest }) => manifest.published));
  return quantities.map(({ name, metric, of, write, writeSpread = write }) => {
    const values = lasts.flatMap((last) => of(last) ?? []);
    const { mean, standardDeviation } = moments(values);
    return {
      figure: name,
      values,
      mean,
      standardDeviation,
      meanText: mean === null ? 'n/a' : write(mean),
      standardDeviationText: standardDeviation === null ? 'n/a' : writeSpread(standardDeviation),
      published: published.filter((entry) => entry.metric === metric),
    };
  });
}

/** Mean (null of nothing) and sample standard deviation (null of fewer than two or of infinite values). */
export function moments(values: readonly number[]): {
  mean: number | null;
  standardDeviation: number | null;
} {
  const count = values.length;
  if (count === 0) return { mean: null, standardDeviation: null };
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2 || !Number.isFinite(mean)) return { mean, standardDeviation: null };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, standardDeviation: Math.sqrt(squares / (count - 1)) };
}

function nats(epsilon: ReportedEpsilon): number {
  return epsilon === 'infinite' ? Infinity : epsilon;
}

function epsilonFigure(value: number): string {
  return epsilonText(value === Infinity ? 'infinite' : value);
}

function distinct(figures: readonly PublishedFigure[]): PublishedFigure[] {
  return [...new Map(figures.map((entry) => [JSON.stringify(entry), entry])).values()];
}
