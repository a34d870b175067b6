import type { ParentGroup, VulnerableUsers } from '../../shared/protocol/audit-report.ts';
import { ascending } from '../../shared/stats/ascending.ts';
import { clopperPearson } from '../../shared/stats/interval.ts';
import { benjaminiHochberg } from '../../shared/stats/tests.ts';
import { atOrAbove, conformalPValues } from './conformal.ts';
import { type Group, isTestable } from './groups.ts';
import { nearest, neighbourPool } from './neighbours.ts';
import { type AuditPopulation, pickedScores, usersWithRole } from './population.ts';

const falseDiscoveryRate = 0.1;
const listed = 10;

/** Non-members that a user is compared with. */
interface Comparison {
  readonly name: ParentGroup;
  /** Scores of the held-out users, ascending. */
  readonly heldOut: Float64Array;
}

interface TestedUser {
  readonly user: number;
  readonly score: number;
  readonly pValue: number;
  readonly comparison: Comparison;
}

/**
 * Who is easiest to find: every member and held-out user tested alike, role unseen, by the conformal p-value against the
 * held-out users of the smallest testable group she belongs to (else against all of them), herself left out. P-values of one
 * group share their non-members and are positively dependent, where Benjamini-Hochberg still holds (Bates et al. 2023,
 * theorem 2). With n non-members no p-value is below 1 / (n + 1): a small group can only be accused together.
 */
export function vulnerableUsers(
  population: AuditPopulation,
  scores: Float64Array,
  { groups, minGroupSize }: { groups: readonly Group[]; minGroupSize: number },
): VulnerableUsers {
  const comparisons = comparisonsOf(
    population,
    scores,
    groups.filter((group) => isTestable(group, minGroupSize)),
  );
  const tested = testedUsers(population, scores, comparisons);
  const adjusted = benjaminiHochberg(Float64Array.from(tested, ({ pValue }) => pValue));
  const isFlagged = (index: number): boolean => (adjusted[index] ?? 1) <= falseDiscoveryRate;
  const isMember = ({ user }: TestedUser): boolean => population.roles[user] === 'member';
  const flagged = tested.filter((_, index) => isFlagged(index));
  const worst = worstOf(tested);
  const neighbours = neighbourTest(population, scores);
  return {
    tested: tested.length,
    falseDiscoveryRate,
    flagged: flagged.length,
    flaggedMembers: flagged.filter(isMember).length,
    users: worst.flatMap((index) => {
      const own = tested[index];
      if (own === undefined) return [];
      const neighbourPValue = neighbours?.(own.user);
      return {
        user: population.names?.[own.user] ?? `#${own.user}`,
        score: own.score,
        pValue: own.pValue,
        adjustedPValue: adjusted[index] ?? 1,
        flagged: isFlagged(index),
        role: isMember(own) ? ('member' as const) : ('held-out' as const),
        comparedWith: own.comparison.name,
        groups: valuesOf(population, own.user),
        ...(neighbourPValue !== undefined && { neighbourPValue }),
      };
    }),
    topPercentile: topPercentile(tested, isMember),
  };
}

/** Positions of the users to be named, the easiest to find first. */
function worstOf(tested: readonly TestedUser[]): number[] {
  const pValues = ascending(Float64Array.from(tested, ({ pValue }) => pValue));
  const largest = pValues[Math.min(listed, tested.length) - 1] ?? 1;
  const candidates = [...tested.keys()].filter((index) => (tested[index]?.pValue ?? 1) <= largest);
  return candidates.sort((a, b) => order(tested[a], tested[b])).slice(0, listed);
}

/** Smaller p-values first, larger scores among equals. */
function order(a: TestedUser | undefined, b: TestedUser | undefined): number {
  if (a === undefined || b === undefined) return 0;
  return a.pValue - b.pValue || b.score - a.score;
}

/** For each user the smallest of the testable groups that she is in, by held-out users; shape (numUsers,). */
function comparisonsOf(
  population: AuditPopulation,
  scores: Float64Array,
  testable: readonly Group[],
): Comparison[] {
  const of = (name: ParentGroup, users: Int32Array): Comparison => ({
    name,
    heldOut: ascending(pickedScores(scores, users)),
  });
  const everybody = of('all users', usersWithRole(population, 'held-out'));
  const comparisons = new Array<Comparison>(population.roles.length).fill(everybody);
  const largestFirst = testable.toSorted((a, b) => b.heldOut.length - a.heldOut.length);
  for (const group of largestFirst) {
    const comparison = of({ column: group.column, value: group.value }, group.heldOut);
    for (const users of [group.members, group.heldOut])
      for (const user of users) comparisons[user] = comparison;
  }
  return comparisons;
}

function testedUsers(
  { roles }: AuditPopulation,
  scores: Float64Array,
  comparisons: readonly Comparison[],
): TestedUser[] {
  return comparisons.flatMap((comparison, user) => {
    if (roles[user] === 'reference') return [];
    const score = scores[user] ?? Number.NaN;
    // A held-out user stands among her own non-members once too often.
    const herself = roles[user] === 'held-out' ? 1 : 0;
    const { heldOut } = comparison;
    const pValue = (1 + atOrAbove(heldOut, score) - herself) / (heldOut.length + 1 - herself);
    return [{ user, score, pValue, comparison }];
  });
}

/** P-values against the non-members that stand nearest, where places are known. */
function neighbourTest(
  population: AuditPopulation,
  scores: Float64Array,
): ((user: number) => number) | undefined {
  const pool = neighbourPool(population);
  const { places } = population;
  if (pool === undefined || places === undefined) return undefined;
  return (user) => {
    const near = Float64Array.from(nearest(places, user, pool), (other) => scores[other] ?? Number.NaN);
    return conformalPValues(Float64Array.of(scores[user] ?? Number.NaN), near)[0] ?? 1;
  };
}

function valuesOf({ subpopulations }: AuditPopulation, user: number): string[] {
  return subpopulations.flatMap(({ column, vocabulary, codes }) => {
    const value = vocabulary[codes[user] ?? -1];
    return value === undefined ? [] : [`${column}=${value}`];
  });
}

function topPercentile(
  tested: readonly TestedUser[],
  isMember: (user: TestedUser) => boolean,
): VulnerableUsers['topPercentile'] {
  const users = Math.ceil(tested.length / 100);
  const lowest = ascending(Float64Array.from(tested, ({ score }) => score)).at(-users) ?? Number.NaN;
  // Of those who tie with the last, the first in roster order.
  const top = tested.filter(({ score }) => score >= lowest).sort((a, b) => b.score - a.score);
  const members = top.slice(0, users).filter(isMember).length;
  return { users, members, ...clopperPearson(members, users) };
}
