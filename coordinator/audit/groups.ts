import type { SubpopulationColumn } from '../../shared/data/shard.ts';
import type { ParentGroup } from '../../shared/protocol/audit-report.ts';
import { neighbourhoodColumn } from './neighbourhoods.ts';
import type { AuditPopulation } from './population.ts';

/** Users who share an attribute, or two: fixed by the roster, before there is any score. */
export interface Group {
  readonly column: string;
  readonly value: string;
  /** Indices of the group's member and held-out users, ascending. */
  readonly members: Int32Array;
  readonly heldOut: Int32Array;
  /** For a pair, the group of its first column: its test stands for this one when this one is too small. */
  readonly parent?: Group;
}

/** The groups of an audit, and the pairs of columns that had too many combinations to be among them. */
export interface DeclaredGroups {
  readonly groups: readonly Group[];
  readonly pairsLeftOut: readonly string[];
}

/** Combinations of two columns at most, over all pairs: every one that is tested widens the intervals of all others. */
const mostCombinations = 200;

/**
 * The groups that a roster declares: every value of every column that a member or a held-out user has; with `pairs` also every
 * such combination of two different columns, in the order of the columns while there are at most 200 of them. Neighbourhoods are not
 * combined.
 */
export function declaredGroups(population: AuditPopulation, pairs: boolean): DeclaredGroups {
  const known = pairs ? withPairs : withoutPairs;
  const groups = known.get(population) ?? groupsOf(population, pairs);
  known.set(population, groups);
  return groups;
}

/** Rosters are fixed for a run: their groups are found once. */
const [withPairs, withoutPairs] = [
  new WeakMap<AuditPopulation, DeclaredGroups>(),
  new WeakMap<AuditPopulation, DeclaredGroups>(),
];

function groupsOf(population: AuditPopulation, pairs: boolean): DeclaredGroups {
  const columns = population.subpopulations.map((column) => ({ column, groups: single(column, population) }));
  const combined = columns.filter(({ column }) => column.column !== neighbourhoodColumn);
  const [cells, pairsLeftOut]: [Group[], string[]] = [[], []];
  for (const [index, first] of pairs ? combined.entries() : [])
    for (const second of combined.slice(index + 1)) {
      const found = combinations(first.groups, second.groups, population);
      if (cells.length + found.length <= mostCombinations) cells.push(...found);
      else pairsLeftOut.push(joined(first.column.column, second.column.column));
    }
  return { groups: [...columns.flatMap(({ groups }) => groups), ...cells], pairsLeftOut };
}

/** A group is testable with at least so many members and held-out users. */
export function isTestable({ members, heldOut }: Group, minGroupSize: number): boolean {
  return Math.min(members.length, heldOut.length) >= minGroupSize;
}

/** Whose test stands for a group that is too small: its parent's when that is testable, else that of all users. */
export function fallbackOf({ parent }: Group, minGroupSize: number): ParentGroup {
  if (parent === undefined || !isTestable(parent, minGroupSize)) return 'all users';
  return { column: parent.column, value: parent.value };
}

function single({ column, vocabulary, codes }: SubpopulationColumn, { roles }: AuditPopulation): Group[] {
  const found = vocabulary.map((value) => ({
    column,
    value,
    members: [] as number[],
    heldOut: [] as number[],
  }));
  roles.forEach((role, user) => {
    const group = found[codes[user] ?? -1];
    if (role === 'member') group?.members.push(user);
    if (role === 'held-out') group?.heldOut.push(user);
  });
  return found
    .filter((group) => group.members.length + group.heldOut.length > 0)
    .map((group) => ({
      ...group,
      members: Int32Array.from(group.members),
      heldOut: Int32Array.from(group.heldOut),
    }));
}

function combinations(
  firsts: readonly Group[],
  seconds: readonly Group[],
  { roles }: AuditPopulation,
): Group[] {
  const secondOf = new Int32Array(roles.length).fill(-1);
  seconds.forEach(({ members, heldOut }, index) => {
    for (const user of [...members, ...heldOut]) secondOf[user] = index;
  });
  return firsts.flatMap((parent) =>
    seconds.flatMap((second, index): Group[] => {
      const within = (user: number): boolean => secondOf[user] === index;
      const [members, heldOut] = [parent.members.filter(within), parent.heldOut.filter(within)];
      if (members.length + heldOut.length === 0) return [];
      const column = joined(parent.column, second.column);
      return [{ column, value: joined(parent.value, second.value), members, heldOut, parent }];
    }),
  );
}

function joined(first: string, second: string): string {
  return `${first} & ${second}`;
}
