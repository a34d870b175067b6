import { reportedEpsilon } from '../shared/privacy/accounting/accountants.ts';
import { interpreted } from '../shared/privacy/accounting/interpret.ts';
import type { Delta, Epsilon, Sha256 } from '../shared/units.ts';
import { type Charge, chargedEntries } from './charged-entries.ts';
import type { LedgerView } from './ledger.ts';
import type { UserWeights } from './ledger-users.ts';

/** Users to whom the same has happened. */
export interface UserGroup {
  /** Integer >= 1. */
  readonly numUsers: number;
  /** Releases that a user of the group could have been in. */
  readonly releases: number;
  /** Least weight of such a user in any of them, in (0, 1]. */
  readonly leastWeight: number;
  readonly epsilon: Epsilon;
}

/** What a site's releases have cost its users, each of them removed with all of her records at this site. */
export interface UserSpending {
  /** Holds for everybody, also for users whom no release names: every release at weight 1. */
  readonly wholeSite: Epsilon;
  /** Releases that do not say who could have been in them; every user is charged for these at weight 1. */
  readonly unlistedReleases: number;
  /** Users whom some release names, dearest first. */
  readonly groups: readonly UserGroup[];
}

/**
 * Per-user accounting where users take part unequally: a user is charged for the releases that she could have been in,
 * drawn or not, and one of weight w as for 1 / w times the noise, since her part of every sum is at most w * C. Neighbouring:
 * one user added or removed. It tells who took part in what, so it never leaves the site.
 *
 * @throws LEDGER_CORRUPT when a list of users is gone or changed; EVENT_UNSUPPORTED.
 */
export async function userSpending(
  ledger: Pick<LedgerView, 'records' | 'entries' | 'users'>,
  delta: Delta,
): Promise<UserSpending> {
  const records = ledger.records();
  const hashes = new Set(records.flatMap(({ usersSha256 }) => usersSha256 ?? []));
  const lists = new Map<Sha256, UserWeights>();
  for (const hash of hashes) lists.set(hash, await ledger.users(hash));
  const epsilonOf = rememberedEpsilon(delta);
  const groups = new Map<string, UserGroup>();
  for (const { numUsers, weights } of histories(lists)) {
    const charges = records.flatMap(({ run, event, usersSha256 }): Charge[] => {
      const weight = usersSha256 ? weights.get(usersSha256) : 1;
      return weight === undefined ? [] : [{ run, event, weight }];
    });
    const epsilon = epsilonOf(charges, records);
    const leastWeight = Math.min(...charges.map(({ weight = 1 }) => weight));
    const key = `${epsilon} ${charges.length} ${leastWeight}`;
    const before = groups.get(key)?.numUsers ?? 0;
    groups.set(key, { numUsers: before + numUsers, releases: charges.length, leastWeight, epsilon });
  }
  return {
    wholeSite: reportedEpsilon(ledger.entries(), delta),
    unlistedReleases: records.filter(({ usersSha256 }) => !usersSha256).length,
    groups: [...groups.values()].sort((a, b) => b.epsilon - a.epsilon || b.releases - a.releases),
  };
}

interface History {
  readonly numUsers: number;
  /** By the lists that the users stand on. */
  readonly weights: ReadonlyMap<Sha256, number>;
}

/** Users who stand on the same lists with the same weights. */
function histories(lists: ReadonlyMap<Sha256, UserWeights>): Iterable<History> {
  const keys = new Map<string, string>();
  for (const [index, users] of [...lists.values()].entries())
    for (const [user, weight] of users) keys.set(user, `${keys.get(user) ?? ''} ${index}:${weight}`);
  const examples = new Map<string, { user: string; numUsers: number }>();
  for (const [user, key] of keys) {
    const before = examples.get(key);
    examples.set(key, { user, numUsers: (before?.numUsers ?? 0) + 1 });
  }
  return [...examples.values()].map(({ user, numUsers }) => {
    const own = [...lists].flatMap(([hash, users]): [Sha256, number][] => {
      const weight = users.get(user);
      return weight === undefined ? [] : [[hash, weight]];
    });
    return { numUsers, weights: new Map(own) };
  });
}

/** Histories often cost the same, such as those of users who sat out another run of the same plan. */
function rememberedEpsilon(delta: Delta): (charges: readonly Charge[], all: readonly Charge[]) => Epsilon {
  const known = new Map<string, Epsilon>();
  return (charges, all) => {
    const entries = chargedEntries(charges, all);
    const key = JSON.stringify(interpreted(entries));
    const epsilon = known.get(key) ?? reportedEpsilon(entries, delta);
    known.set(key, epsilon);
    return epsilon;
  };
}
