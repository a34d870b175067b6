import { ParleyError } from '../errors.ts';
import { ascending } from './ascending.ts';

/**
 * The scores of members and non-members pooled and sorted, with equal scores gathered into one group: all that rank
 * statistics (ROC, AUC, DeLong, Mann-Whitney) depend on. A tie group always enters as a whole.
 */
export interface TieGroups {
  /** Number of member scores, >= 1. */
  readonly numMembers: number;
  /** Number of non-member scores, >= 1. */
  readonly numNonMembers: number;
  /** Members with each distinct score, in ascending order of the score; shape (numGroups,). */
  readonly members: Int32Array;
  /** Non-members with each distinct score, shape (numGroups,). */
  readonly nonMembers: Int32Array;
}

/**
 * Groups two samples of scores by value in O(n log n); infinite scores are ordinary values. Throws DATA_EMPTY when
 * either sample is empty and NON_FINITE when a score is not a number.
 */
export function tieGroups(members: Float64Array, nonMembers: Float64Array): TieGroups {
  return tieGroupsOfSorted(ascending(members), ascending(nonMembers));
}

/** The same from samples in ascending order. */
export function tieGroupsOfSorted(members: Float64Array, nonMembers: Float64Array): TieGroups {
  assertScores(members, 'member');
  assertScores(nonMembers, 'non-member');
  const memberCounts = new Int32Array(members.length + nonMembers.length);
  const nonMemberCounts = new Int32Array(memberCounts.length);
  let numGroups = 0;
  for (let m = 0, n = 0; m < members.length || n < nonMembers.length; numGroups++) {
    const member = m < members.length ? (members[m] ?? 0) : Infinity;
    const nonMember = n < nonMembers.length ? (nonMembers[n] ?? 0) : Infinity;
    const score = member < nonMember ? member : nonMember;
    const memberEnd = endOfTies(members, m, score);
    const nonMemberEnd = endOfTies(nonMembers, n, score);
    memberCounts[numGroups] = memberEnd - m;
    nonMemberCounts[numGroups] = nonMemberEnd - n;
    m = memberEnd;
    n = nonMemberEnd;
  }
  return {
    numMembers: members.length,
    numNonMembers: nonMembers.length,
    members: memberCounts.subarray(0, numGroups),
    nonMembers: nonMemberCounts.subarray(0, numGroups),
  };
}

/** Of scores in ascending order. */
function assertScores(inOrder: Float64Array, role: string): void {
  if (inOrder.length === 0)
    throw new ParleyError(
      'DATA_EMPTY',
      `rank statistics need at least one ${role} score and got none; check how users were assigned`,
    );
  if (Number.isNaN(inOrder.at(-1)))
    throw new ParleyError(
      'NON_FINITE',
      `a ${role} score is not a number; scores must be comparable, so check the signals they come from`,
    );
}

function endOfTies(inOrder: Float64Array, start: number, score: number): number {
  let end = start;
  while (end < inOrder.length && inOrder[end] === score) end++;
  return end;
}
