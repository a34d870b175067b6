import type { RepeatedRun } from '../epsilon/repeated-runs.ts';
import { type CanaryScores, runScores } from './scores.ts';

/** The one canary that stands for a run among its repetitions, as each adversary scores it. */
export interface CanaryOfRun {
  readonly coordinator: RepeatedRun;
  readonly recipients: RepeatedRun;
}

/**
 * The first canary of the first site by name that answered: whoever chose among canaries afterwards would prove nothing, and
 * canaries of one run are not independent of each other. The score is the log-likelihood ratio member to held-out over all
 * rounds, so 0 is the threshold that can be declared before the runs. Undefined where no site with canaries has answered.
 */
export function canaryOfRun(history: readonly CanaryScores[]): CanaryOfRun | undefined {
  const withCanaries = history.filter(({ coins }) => coins.length > 0);
  const [first, ...others] = withCanaries;
  if (first === undefined) return undefined;
  const line = others.reduce((least, next) => (next.site < least.site ? next : least), first);
  const coins = new Map([[line.site, Int32Array.from(line.coins.slice(0, 1))]]);
  const scored = (view: keyof CanaryOfRun): RepeatedRun => {
    const [own] = runScores(coins, history, view);
    return { score: own?.logRatio ?? 0, isMember: own?.isMember === true };
  };
  return { coordinator: scored('coordinator'), recipients: scored('recipients') };
}
