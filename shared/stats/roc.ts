import { type TieGroups, tieGroups } from './tie-groups.ts';

/**
 * Receiver operating characteristic of a score for which larger means more likely member: one point for every
 * threshold, from (0, 0), where nobody is called a member, to (1, 1). Users with equal scores enter together, so the
 * curve has diagonal steps at ties and does not depend on the order of the input.
 */
export interface Roc {
  readonly numMembers: number;
  readonly numNonMembers: number;
  /** Shape (numPoints,), non-decreasing: non-members at or above each threshold, thresholds descending. */
  readonly falsePositives: Int32Array;
  /** Shape (numPoints,), non-decreasing: members at or above each threshold. */
  readonly truePositives: Int32Array;
}

/**
 * ROC of two samples of scores in O(n log n). Throws DATA_EMPTY when either sample is empty and NON_FINITE when a score
 * is not a number.
 */
export function rocCurve(members: Float64Array, nonMembers: Float64Array): Roc {
  return rocOfTieGroups(tieGroups(members, nonMembers));
}

/** The same from tie groups, in O(numGroups). */
export function rocOfTieGroups(groups: TieGroups): Roc {
  return {
    numMembers: groups.numMembers,
    numNonMembers: groups.numNonMembers,
    falsePositives: cumulativeFromAbove(groups.nonMembers),
    truePositives: cumulativeFromAbove(groups.members),
  };
}

/**
 * Area under the ROC curve, in [0, 1]: the probability that a member's score is above a non-member's, ties counting one
 * half. 0.5 is chance, below 0.5 is not leakage. O(n log n); throws as rocCurve does.
 */
export function auc(members: Float64Array, nonMembers: Float64Array): number {
  return aucOfTieGroups(tieGroups(members, nonMembers));
}

/** The same from tie groups, in O(numGroups). */
export function aucOfTieGroups(groups: TieGroups): number {
  let nonMembersBelow = 0;
  let wins = 0;
  for (let group = 0; group < groups.members.length; group++) {
    const nonMemberCount = groups.nonMembers[group] ?? 0;
    wins += (groups.members[group] ?? 0) * (nonMembersBelow + 0.5 * nonMemberCount);
    nonMembersBelow += nonMemberCount;
  }
  return wins / (groups.numMembers * groups.numNonMembers);
}

/**
 * At most about `points` points (fpr, tpr) of the curve for drawing, with false positive rates spaced evenly on a
 * logarithmic axis from 1 / numNonMembers to 1, where an audit is read. Every point is one of the curve; the first and
 * last points and the best point without false positives are always there.
 */
export function thinned(roc: Roc, points: number): [fpr: number, tpr: number][] {
  const kept = new Set([0]);
  for (let point = 0; point <= points; point++) {
    const target = point === 0 ? 0 : roc.numNonMembers ** ((point - points) / points);
    kept.add(lastAtMost(roc.falsePositives, target * roc.numNonMembers));
  }
  kept.add(roc.falsePositives.length - 1);
  return [...kept].map((index) => [
    (roc.falsePositives[index] ?? 0) / roc.numNonMembers,
    (roc.truePositives[index] ?? 0) / roc.numMembers,
  ]);
}

/**
 * Index of the last point of a curve with at most `limit` false positives: the largest true positive rate there.
 * `counts` is non-decreasing and starts at 0; `limit` >= 0, and rounding by 1e-9 is forgiven.
 */
export function lastAtMost(counts: Int32Array, limit: number): number {
  let low = 0;
  let high = counts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((counts[middle] ?? 0) <= limit + 1e-9) low = middle;
    else high = middle - 1;
  }
  return low;
}

function cumulativeFromAbove(counts: Int32Array): Int32Array {
  const cumulative = new Int32Array(counts.length + 1);
  let total = 0;
  for (let index = 0; index < counts.length; index++) {
    total += counts[counts.length - 1 - index] ?? 0;
    cumulative[index + 1] = total;
  }
  return cumulative;
}
