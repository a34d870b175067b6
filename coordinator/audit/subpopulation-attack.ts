import type { AuditReport, GroupResult } from '../../shared/protocol/audit-report.ts';
import { ascending } from '../../shared/stats/ascending.ts';
import { benjaminiHochberg, holm, mannWhitneyOfTieGroups } from '../../shared/stats/tests.ts';
import { tieGroupsOfSorted } from '../../shared/stats/tie-groups.ts';
import { groupFigures } from './group-figures.ts';
import { fallbackOf, type Group, isTestable } from './groups.ts';
import { pickedScores } from './population.ts';

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
 * Every declared group, tested by itself: members against held-out users of the same group, so a group that the model simply
 * finds easy does not look like leakage, and no shadow model is needed. Scores of shape (numUsers,), larger = more likely
 * member. P-values are one-sided Mann-Whitney, adjusted over all testable groups; the AUC intervals hold together at `level`
 * (Bonferroni), so that of the worst group may be read although it was picked afterwards. Groups that are too small come back
 * as not testable, with the reason and the group whose test stands for them. After Rezaei and Liu (2022).
 */
export function subpopulationAttack(
  groups: readonly Group[],
  scores: Float64Array,
  options: SubpopulationOptions,
): GroupResult[] {
  const testable = groups.filter((group) => isTestable(group, options.minGroupSize));
  const samples = testable.map((group) => {
    const heldOut = pickedScores(scores, group.heldOut);
    const sorted = { members: ascending(pickedScores(scores, group.members)), heldOut: ascending(heldOut) };
    return { sorted, heldOut, tieGroups: tieGroupsOfSorted(sorted.members, sorted.heldOut) };
  });
  const adjusted = adjustments[options.multipleTesting](
    Float64Array.from(samples, (sample) => mannWhitneyOfTieGroups(sample.tieGroups)),
  );
  const figures = new Map(
    samples.map((sample, index) => {
      const test = { ...sample, pValue: adjusted[index] ?? 1, numTested: testable.length };
      return [testable[index], groupFigures(test, options)];
    }),
  );
  return groups.map((group) => {
    const { column, value } = group;
    const own = figures.get(group);
    return own ? { status: 'tested', column, value, ...own } : notTestable(group, options);
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

const adjustments = { holm, 'benjamini-hochberg': benjaminiHochberg };

function notTestable(group: Group, { minGroupSize }: SubpopulationOptions): GroupResult {
  const { column, value } = group;
  const members = group.members.length;
  const heldOut = group.heldOut.length;
  const reason = `${members} members and ${heldOut} held-out users; a test needs ${minGroupSize} of each`;
  const fallback = fallbackOf(group, minGroupSize);
  return { status: 'not-testable', column, value, members, heldOut, reason, fallback };
}
