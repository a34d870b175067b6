import type { AttackResult } from '../../shared/protocol/audit-report.ts';
import { normalQuantile } from '../../shared/stats/special.ts';
import { measuredTpr } from '../report/words.ts';

/** The attack with the largest AUC of several, whose interval holds although it was picked for that. */
export interface Strongest {
  readonly attack: string;
  readonly auc: number;
  readonly low: number;
  readonly high: number;
  /** How many attacks it was picked from: their intervals at this width hold together at 95 %. */
  readonly looks: number;
}

/** The attack with the largest TPR of several at one false positive rate. */
export interface HighestTpr {
  readonly attack: string;
  readonly tpr: number;
  readonly low: number;
  readonly high: number;
}

/** The strongest of some attacks on the same users; undefined for none. */
export function strongest(results: readonly AttackResult[]): Strongest | undefined {
  const [first, ...others] = results;
  if (first === undefined) return undefined;
  const best = others.reduce((most, result) => (result.auc > most.auc ? result : most), first);
  const { attack, auc } = best;
  return { attack, auc, ...heldTogether(best, results.length), looks: results.length };
}

/** The largest TPR at a false positive rate of several attacks, with its own interval; undefined where none was measured. */
export function highestTpr(
  results: readonly AttackResult[],
  fpr: number,
):
  | { readonly attack: string; readonly tpr: number; readonly low: number; readonly high: number }
  | undefined {
  return results
    .flatMap((result) => {
      const found = measuredTpr(result, fpr);
      return found ? [{ attack: result.attack, tpr: found.tpr, low: found.low, high: found.high }] : [];
    })
    .reduce<HighestTpr | undefined>((most, own) => (most && most.tpr >= own.tpr ? most : own), undefined);
}

/**
 * A 95 % interval of an AUC widened so that `looks` of them hold together (Bonferroni). DeLong's is symmetric on the logit, where it
 * is stretched by the ratio of the normal quantiles; at an AUC of 0 or 1 it is Clopper-Pearson's, tail^(1/n), which is exact too.
 * Between, for fewer than ten users on a side, it is an approximation.
 */
export function heldTogether(
  { auc, low, high }: { readonly auc: number; readonly low: number; readonly high: number },
  looks: number,
): { readonly low: number; readonly high: number } {
  const tail = 0.025;
  const power = Math.log(tail / looks) / Math.log(tail);
  if (auc >= 1) return { low: low ** power, high: 1 };
  if (auc <= 0) return { low: 0, high: 1 - (1 - high) ** power };
  const stretch = normalQuantile(tail / looks) / normalQuantile(tail);
  const center = logit(auc);
  return {
    low: logistic(center - stretch * (center - logit(low))),
    high: logistic(center + stretch * (logit(high) - center)),
  };
}

function logit(rate: number): number {
  return Math.log(rate / (1 - rate));
}

function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
