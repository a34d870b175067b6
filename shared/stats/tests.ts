import { aucOfTieGroups } from './roc.ts';
import { normalCdf } from './special.ts';
import { type TieGroups, tieGroups } from './tie-groups.ts';

/**
 * One-sided p-value of the Mann-Whitney test that members' scores are not above non-members', in (0, 1]: small when
 * members score higher. Exact, ties included, up to `largestExactSample` users in all (every assignment of the roles is
 * counted); beyond that the normal law with tie correction and continuity correction, which errs on the large side.
 * All scores equal: 1. Throws DATA_EMPTY and NON_FINITE as rocCurve does.
 */
export function mannWhitneyPValue(members: Float64Array, nonMembers: Float64Array): number {
  return mannWhitneyOfTieGroups(tieGroups(members, nonMembers));
}

/** The same from tie groups. */
export function mannWhitneyOfTieGroups(groups: TieGroups): number {
  return groups.numMembers + groups.numNonMembers <= largestExactSample
    ? exactPValue(groups)
    : normalPValue(groups);
}

const largestExactSample = 40;

/**
 * Variance of the AUC when the roles are an independent coin's, given the tied scores: (N + 1 - ties) / (12 n m) for n
 * members and m non-members, N = n + m, where ties = sum of (t^3 - t) / (N (N - 1)) over groups of t equal scores.
 */
export function nullAucVariance(groups: TieGroups): number {
  const { numMembers, numNonMembers } = groups;
  const total = numMembers + numNonMembers;
  let ties = 0;
  groups.members.forEach((count, group) => {
    const tied = count + (groups.nonMembers[group] ?? 0);
    ties += tied ** 3 - tied;
  });
  const freedom = total + 1 - ties / (total * (total - 1));
  return Math.max(0, freedom) / (12 * numMembers * numNonMembers);
}

/**
 * Holm's step-down adjustment (1979): rejecting where the adjusted p-value is at most a level keeps the probability of
 * any false rejection below that level, whatever the dependence. Shape (numTests,) in and out, in the order given.
 */
export function holm(pValues: Float64Array): Float64Array {
  const adjusted = new Float64Array(pValues.length);
  let largest = 0;
  ascendingOrder(pValues).forEach((test, rank) => {
    largest = Math.max(largest, Math.min(1, (pValues.length - rank) * (pValues[test] ?? 1)));
    adjusted[test] = largest;
  });
  return adjusted;
}

/**
 * Step-up adjustment of Benjamini and Hochberg (1995): rejecting where the adjusted p-value is at most a level keeps the
 * expected share of false rejections below that level for independent or positively dependent tests. Shapes as in holm.
 */
export function benjaminiHochberg(pValues: Float64Array): Float64Array {
  const adjusted = new Float64Array(pValues.length);
  let smallest = 1;
  ascendingOrder(pValues)
    .map((test, index) => ({ test, rank: index + 1 }))
    .reverse()
    .forEach(({ test, rank }) => {
      smallest = Math.min(smallest, (pValues.length / rank) * (pValues[test] ?? 1));
      adjusted[test] = smallest;
    });
  return adjusted;
}

function ascendingOrder(values: Float64Array): number[] {
  return Array.from(values, (_, index) => index).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
}

function normalPValue(groups: TieGroups): number {
  const variance = nullAucVariance(groups);
  if (variance === 0) return 1;
  const halfPair = 0.5 / (groups.numMembers * groups.numNonMembers);
  return normalCdf(-(aucOfTieGroups(groups) - 0.5 - halfPair) / Math.sqrt(variance));
}

/**
 * Share of all ways to choose the members among the pooled users whose rank sum is at least the observed one. Ranks are
 * doubled mid-ranks, hence integers; `ways[chosen * width + sum]` counts choices, exactly, being below 2^53.
 */
function exactPValue(groups: TieGroups): number {
  const total = groups.numMembers + groups.numNonMembers;
  const width = total * (total + 1) + 1;
  const ways = new Float64Array((groups.numMembers + 1) * width);
  ways[0] = 1;
  let below = 0;
  let observed = 0;
  groups.members.forEach((memberCount, group) => {
    const tied = memberCount + (groups.nonMembers[group] ?? 0);
    const doubledRank = 2 * below + tied + 1;
    observed += memberCount * doubledRank;
    for (let user = 0; user < tied; user++)
      addUser(ways, { doubledRank, width, mostChosen: Math.min(below + user, groups.numMembers - 1) });
    below += tied;
  });
  const complete = ways.subarray(groups.numMembers * width);
  const sum = (counts: Float64Array): number => counts.reduce((a, b) => a + b, 0);
  return sum(complete.subarray(observed)) / sum(complete);
}

/** Extends every choice of at most `mostChosen` users by one more user. */
function addUser(
  ways: Float64Array,
  { doubledRank, width, mostChosen }: { doubledRank: number; width: number; mostChosen: number },
): void {
  for (let chosen = mostChosen; chosen >= 0; chosen--) {
    const from = ways.subarray(chosen * width, (chosen + 1) * width - doubledRank);
    const into = ways.subarray((chosen + 1) * width + doubledRank, (chosen + 2) * width);
    for (let sum = 0; sum < from.length; sum++) into[sum] = (into[sum] ?? 0) + (from[sum] ?? 0);
  }
}
