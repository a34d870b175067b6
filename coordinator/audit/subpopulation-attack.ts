import type { AuditReport, GroupResult } from '../../shared/protocol/audit-report.ts';
import { aucInterval, tprAtFpr } from '../../shared/stats/interval.ts';
import { benjaminiHochberg, holm, mannWhitneyPValue } from '../../shared/stats/tests.ts';
import type { AuditPopulation } from './population.ts';

/** How groups are tested. */
export interface SubpopulationOptions {
  /** Members and held-out users that a group needs, each. */
  readonly minGroupSize: number;
  readonly multipleTesting: AuditReport['multipleTesting'];
  readonly fprs: readonly number[];
  /** Confidence level of all groups' AUC intervals together, and 1 - the level of the tests. */
  readonly level: number;
}

/**
 * Every value of every declared column, tested by itself: members against held-out users of the same group, so a group
 * that the model simply finds easy does not look like leakage, and no shadow model is needed. Scores of shape (numUsers,),
 * larger = more likely member. P-values are one-sided Mann-Whitney, adjusted over all testable groups of all columns; the
 * AUC intervals hold together at `level` (Bonferroni), so that of the worst group may be read although it was picked
 * afterwards. Groups that are too small come back as not testable, with the reason. After Rezaei and Liu (2022).
 */
export function subpopulationAttack(
  population: AuditPopulation,
  scores: Float64Array,
  options: SubpopulationOptions,
): GroupResult[] {
  const groups = groupsOf(population, scores);
  const testable = groups.filter(({ members, heldOut }) => {
    return Math.min(members.length, heldOut.length) >= options.minGroupSize;
  });
  const rawPValues = Float64Array.from(testable, ({ members, heldOut }) => {
    return mannWhitneyPValue(Float64Array.from(members), Float64Array.from(heldOut));
  });
  const adjusted = adjustments[options.multipleTesting](rawPValues);
  const pValues = new Map(testable.map((group, index) => [group, adjusted[index] ?? 1]));
  const groupLevel = 1 - (1 - options.level) / Math.max(1, testable.length);
  return groups.map((group) => {
    const pValue = pValues.get(group);
    return pValue === undefined
      ? notTestable(group, options)
      : tested(group, { pValue, groupLevel, options });
  });
}

/** The tested group with the smallest adjusted p-value, the larger AUC first among equals; null when none was tested. */
export function worstGroup(results: readonly GroupResult[]): AuditReport['worstGroup'] {
  const [worst] = results
    .filter((result) => result.status === 'tested')
    .sort((a, b) => a.pValue - b.pValue || b.auc - a.auc);
  if (worst === undefined) return null;
  const { column, value, auc, low, high, pValue } = worst;
  return { column, value, auc, low, high, pValue };
}

/**
 * Conformal p-value of each score against known non-members of its group: (1 + number of reference scores at or above it)
 * / (reference.length + 1), in (0, 1]; shape (scores.length,). If a user is a non-member too, exchangeable with the
 * reference, the p-value is at most a with probability at most a; ties count against the attack. The Mann-Whitney test of
 * a group is the test on the sum of its members' p-values.
 */
export function conformalPValues(scores: Float64Array, reference: Float64Array): Float64Array {
  const ascending = reference.toSorted();
  return scores.map(
    (score) => (1 + reference.length - countBelow(ascending, score)) / (reference.length + 1),
  );
}

const adjustments = { holm, 'benjamini-hochberg': benjaminiHochberg };

interface Group {
  readonly column: string;
  readonly value: string;
  /** Attack scores of the group's members. */
  readonly members: number[];
  /** Attack scores of the group's held-out users. */
  readonly heldOut: number[];
}

function groupsOf({ roles, subpopulations }: AuditPopulation, scores: Float64Array): Group[] {
  return subpopulations.flatMap(({ column, vocabulary, codes }) => {
    const groups = vocabulary.map((value): Group => ({ column, value, members: [], heldOut: [] }));
    roles.forEach((role, user) => {
      const group = groups[codes[user] ?? -1];
      const score = scores[user] ?? Number.NaN;
      if (role === 'member') group?.members.push(score);
      if (role === 'held-out') group?.heldOut.push(score);
    });
    return groups;
  });
}

function tested(
  { column, value, ...scores }: Group,
  test: { pValue: number; groupLevel: number; options: SubpopulationOptions },
): GroupResult {
  const { pValue, groupLevel, options } = test;
  const members = Float64Array.from(scores.members);
  const heldOut = Float64Array.from(scores.heldOut);
  return {
    status: 'tested',
    column,
    value,
    members: members.length,
    heldOut: heldOut.length,
    ...aucInterval(members, heldOut, groupLevel),
    pValue,
    rejected: pValue <= 1 - options.level,
    tprAtFpr: options.fprs.map((fpr) => tprAtFpr(members, heldOut, fpr, options.level)),
  };
}

function notTestable(group: Group, { minGroupSize }: SubpopulationOptions): GroupResult {
  const { column, value } = group;
  const members = group.members.length;
  const heldOut = group.heldOut.length;
  const reason = `${members} members and ${heldOut} held-out users; a test needs ${minGroupSize} of each`;
  return { status: 'not-testable', column, value, members, heldOut, reason };
}

function countBelow(ascending: Float64Array, score: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ascending[middle] ?? 0) < score) low = middle + 1;
    else high = middle;
  }
  return low;
}
