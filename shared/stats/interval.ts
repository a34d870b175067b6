import type { TprAtFpr } from '../protocol/audit-report.ts';
import { aucOfTieGroups, lastAtMost, type Roc, rocCurve } from './roc.ts';
import { betaQuantile, normalQuantile } from './special.ts';
import { type TieGroups, tieGroups } from './tie-groups.ts';

/** A two-sided confidence interval of a probability: 0 <= low <= high <= 1. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * Exact two-sided interval of a binomial proportion at confidence `level` (Clopper and Pearson 1934); it covers the truth
 * with at least that probability, half of the error on each side. 0 <= successes <= trials; successes need not be whole
 * (half a success is a tie). Without trials nothing is known: [0, 1].
 */
export function clopperPearson(successes: number, trials: number, level = 0.95): Interval {
  const tail = (1 - level) / 2;
  const failures = trials - successes;
  return {
    low: successes > 0 ? betaQuantile(tail, successes, failures + 1) : 0,
    high: failures > 0 ? betaQuantile(1 - tail, successes + 1, failures) : 1,
  };
}

/** An AUC and its standard error, both dimensionless. */
export interface AucEstimate {
  readonly auc: number;
  /** NaN with a single member or a single non-member. */
  readonly standardError: number;
}

/**
 * AUC with the standard error of DeLong, DeLong and Clarke-Pearson (1988), from placements by ranks as in Sun and Xu
 * (2014): O(n log n) and exact under ties. Throws DATA_EMPTY and NON_FINITE as rocCurve does.
 */
export function delong(members: Float64Array, nonMembers: Float64Array): AucEstimate {
  return delongOfTieGroups(tieGroups(members, nonMembers));
}

/**
 * AUC with its interval at confidence `level`: DeLong's standard error on the logit of the AUC, which keeps the interval
 * inside [0, 1]. Where that error says nothing (fewer than `smallestNormalSample` users on a side, or an error of zero:
 * perfect separation, all scores tied) the interval is Clopper-Pearson's for n = min(members, non-members) trials: pair
 * every user of the smaller side with a different one of the larger; each pair is an independent trial won with
 * probability AUC. It uses fewer pairs than there are, so it is too wide rather than too narrow, and never of zero width.
 * Throws DATA_EMPTY and NON_FINITE as rocCurve does.
 */
export function aucInterval(
  members: Float64Array,
  nonMembers: Float64Array,
  level = 0.95,
): Interval & { readonly auc: number } {
  return aucIntervalOfTieGroups(tieGroups(members, nonMembers), level);
}

/** The same from tie groups, in O(numGroups). */
export function aucIntervalOfTieGroups(
  groups: TieGroups,
  level: number,
): Interval & { readonly auc: number } {
  return aucIntervalOfEstimate(delongOfTieGroups(groups), groups, level);
}

/** The same from an estimate over so many users. */
export function aucIntervalOfEstimate(
  { auc, standardError }: AucEstimate,
  { numMembers, numNonMembers }: Pick<TieGroups, 'numMembers' | 'numNonMembers'>,
  level: number,
): Interval & { readonly auc: number } {
  const smallerSide = Math.min(numMembers, numNonMembers);
  if (smallerSide < smallestNormalSample || standardError === 0)
    return { auc, ...clopperPearson(auc * smallerSide, smallerSide, level) };
  const center = Math.log(auc / (1 - auc));
  const reach = (normalQuantile(0.5 + level / 2) * standardError) / (auc * (1 - auc));
  return { auc, low: logistic(center - reach), high: logistic(center + reach) };
}

/** Below this many users on either side the normal interval covers noticeably less than it says. */
const smallestNormalSample = 10;

/**
 * True positive rate at the largest set of thresholds whose false positive rate is at most `fpr`, in (0, 1], with its
 * Clopper-Pearson interval at `level` and the false positives it rests on; not testable with fewer than 1 / fpr
 * non-members, where the rate could only be read at zero false positives. Throws as rocCurve does.
 */
export function tprAtFpr(
  members: Float64Array,
  nonMembers: Float64Array,
  fpr: number,
  level = 0.95,
): TprAtFpr {
  return tprOfRoc(rocCurve(members, nonMembers), fpr, level);
}

/** The same from the curve. */
export function tprOfRoc(roc: Roc, fpr: number, level: number): TprAtFpr {
  const { numMembers, numNonMembers } = roc;
  const nonMembersNeeded = Math.ceil(1 / fpr - 1e-9);
  if (numNonMembers < nonMembersNeeded) return { status: 'not-testable', fpr, nonMembersNeeded };
  const point = lastAtMost(roc.falsePositives, fpr * numNonMembers);
  const truePositives = roc.truePositives[point] ?? 0;
  return {
    status: 'measured',
    fpr,
    tpr: truePositives / numMembers,
    ...clopperPearson(truePositives, numMembers, level),
    falsePositives: roc.falsePositives[point] ?? 0,
  };
}

function delongOfTieGroups(groups: TieGroups): AucEstimate {
  const { numMembers, numNonMembers } = groups;
  const auc = aucOfTieGroups(groups);
  let membersBelow = 0;
  let nonMembersBelow = 0;
  let memberSquares = 0;
  let nonMemberSquares = 0;
  for (let group = 0; group < groups.members.length; group++) {
    const memberCount = groups.members[group] ?? 0;
    const nonMemberCount = groups.nonMembers[group] ?? 0;
    const memberPlacement = (nonMembersBelow + 0.5 * nonMemberCount) / numNonMembers;
    const nonMemberPlacement = 1 - (membersBelow + 0.5 * memberCount) / numMembers;
    memberSquares += memberCount * (memberPlacement - auc) ** 2;
    nonMemberSquares += nonMemberCount * (nonMemberPlacement - auc) ** 2;
    membersBelow += memberCount;
    nonMembersBelow += nonMemberCount;
  }
  const ofMembers = memberSquares / (numMembers - 1) / numMembers;
  const ofNonMembers = nonMemberSquares / (numNonMembers - 1) / numNonMembers;
  return { auc, standardError: Math.sqrt(ofMembers + ofNonMembers) };
}

function logistic(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
