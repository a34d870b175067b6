import { clopperPearson } from '../../../shared/stats/interval.ts';
import { assertBoundOptions, assertCounts, type BoundOptions } from './options.ts';

/** Errors of one attack with a fixed threshold, over independent decisions. Whole numbers. */
export interface ErrorCounts {
  /** Non-members that were called members, <= nonMembers. */
  readonly falsePositives: number;
  readonly nonMembers: number;
  /** Members that were called non-members, <= members. */
  readonly falseNegatives: number;
  readonly members: number;
}

/**
 * Epsilon lower bound (nats, >= 0) at a confidence, from the errors of an attack: (epsilon, delta)-DP makes
 * FNR + e^epsilon FPR >= 1 - delta, and the same with the rates exchanged (Kairouz, Oh, Viswanath 2015, Theorem 2.1), and
 * each rate is at most its Clopper-Pearson upper limit, half of the error for each (Jagielski, Ullman, Oprea 2020;
 * Nasr et al. 2021). Neighbouring: add or remove one user. No sample on a side: 0.
 *
 * The threshold must have been chosen on other data, and the decisions must be independent: one canary in each of many
 * runs, not many canaries in one run (that is oneRunLowerBound's case). n decisions a side cannot show more than about
 * ln(n / 3.7). Throws RangeError for impossible counts and options.
 */
export function epsilonLowerBound(counts: ErrorCounts, options: BoundOptions): number {
  const { falsePositives, nonMembers, falseNegatives, members } = counts;
  assertBoundOptions(options);
  assertCounts('false positives', falsePositives, nonMembers);
  assertCounts('false negatives', falseNegatives, members);
  const fpr = clopperPearson(falsePositives, nonMembers, options.confidence).high;
  const fnr = clopperPearson(falseNegatives, members, options.confidence).high;
  const shown = (rate: number, other: number): number =>
    Math.log(Math.max(1, (1 - options.delta - other) / rate));
  return Math.max(shown(fpr, fnr), shown(fnr, fpr));
}
