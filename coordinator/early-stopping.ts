import { z } from 'zod';
import type { RoundReport } from '../shared/protocol/report.ts';

/**
 * End a run whose utility no longer rises. Utility comes from held-out audit users, who are outside the promise, so it costs no epsilon;
 * the rounds that are not run save theirs.
 */
export const EarlyStopping = z.strictObject({
  /** Rounds without a new best utility after which the run ends. */
  patience: z.number().int().positive(),
  /** What a best utility must exceed the earlier best by. */
  minGain: z.number().nonnegative().default(0),
});
export type EarlyStopping = z.infer<typeof EarlyStopping>;

/** Why the run ends after its newest report; undefined where it goes on. */
export function earlyStop(reports: readonly RoundReport[], options: EarlyStopping): string | undefined {
  const newest = reports.at(-1);
  if (!newest) return undefined;
  let best: RoundReport | undefined;
  for (const report of reports)
    if (!best || report.utility.value > best.utility.value + options.minGain) best = report;
  if (!best || newest.round - best.round < options.patience) return undefined;
  const { metric, value } = best.utility;
  return `stopped early: ${metric} did not rise by more than ${options.minGain} in ${options.patience} round(s) since round ${best.round}, which had ${value} (model ${best.modelSha256})`;
}
