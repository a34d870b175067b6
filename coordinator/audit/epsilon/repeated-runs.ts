import { ParleyError } from '../../../shared/errors.ts';
import { type ErrorCounts, epsilonLowerBound } from './clopper-pearson-bound.ts';
import { assertBoundOptions, type BoundOptions } from './options.ts';

/** One independent run with one canary user. */
export interface RepeatedRun {
  /** The attack's score of the canary, larger = more likely a member; finite. */
  readonly score: number;
  /** What the run's own coin decided. */
  readonly isMember: boolean;
}

/**
 * Epsilon lower bound (nats, >= 0) from repeated independent runs, by epsilonLowerBound: of all runs at a `threshold` that was
 * declared before any of them, at or above which a score means member; without one of the second half, at the threshold that
 * does best on the first half. A threshold chosen on the data that it is judged by would not give a bound. The order of the
 * runs must not depend on their outcomes. Fewer than 2 runs: 0. Throws NON_FINITE when a score is not finite, and RangeError
 * for impossible options.
 */
export function repeatedRunsBound(
  runs: readonly RepeatedRun[],
  options: BoundOptions,
  threshold?: number,
): number {
  assertBoundOptions(options);
  if (!runs.every(({ score }) => Number.isFinite(score)))
    throw new ParleyError(
      'NON_FINITE',
      'the score of a canary is not finite; thresholds lie between scores, so check what it is computed from',
    );
  if (threshold !== undefined) return epsilonLowerBound(errorCounts(runs, threshold), options);
  const half = Math.floor(runs.length / 2);
  const best = bestThreshold(runs.slice(0, half), options);
  return epsilonLowerBound(errorCounts(runs.slice(half), best), options);
}

/**
 * The highest of the best thresholds. Only one half-way between a member and a non-member below, or at the lowest member, can
 * be best: any other can be moved so that it loses an error and gains none.
 */
function bestThreshold(runs: readonly RepeatedRun[], options: BoundOptions): number {
  // Among equal scores members come last, so that the last of them says whether there is one.
  const descending = runs.toSorted((a, b) => b.score - a.score || Number(a.isMember) - Number(b.isMember));
  const members = runs.filter(({ isMember }) => isMember).length;
  let found = 0;
  let best = { threshold: Infinity, bound: 0 };
  for (const [index, { score, isMember }] of descending.entries()) {
    if (!isMember) continue;
    found++;
    const next = descending[index + 1];
    if (next?.isMember === true || next?.score === score) continue;
    const errors = { falsePositives: index + 1 - found, falseNegatives: members - found };
    const bound = epsilonLowerBound({ ...errors, members, nonMembers: runs.length - members }, options);
    const lower = next?.score ?? score;
    if (bound > best.bound) best = { threshold: lower + (score - lower) / 2, bound };
  }
  return best.threshold;
}

/** At or above the threshold is called a member. */
function errorCounts(runs: readonly RepeatedRun[], threshold: number): ErrorCounts {
  const members = runs.filter(({ isMember }) => isMember);
  const nonMembers = runs.filter(({ isMember }) => !isMember);
  return {
    falsePositives: nonMembers.filter(({ score }) => score >= threshold).length,
    nonMembers: nonMembers.length,
    falseNegatives: members.filter(({ score }) => score < threshold).length,
    members: members.length,
  };
}
