import { concatenateShards, selectUsers } from '../shared/data/partition.ts';
import { numUsers, type Shard } from '../shared/data/shard.ts';
import type { Rng } from '../shared/random/rng.ts';
import { fairCoin, shuffled, uniformBelow } from '../shared/random/sample.ts';
import type { AuditRoles, AuditUsers } from './audit-roles.ts';

/**
 * Canaries with wrong labels (Aerni, Zhang and Tramer 2024): users whom a model can only learn by heart, so that an audit sees
 * what happens to those who are easiest to find. Each copies the records of an audit user, with every label changed.
 */
export interface MislabelledCanaries {
  /** Shape (numCanaries,): the user of the shard whose records are copied. */
  readonly sources: Int32Array;
  /** Shape (numCanaries,): 0 member, 1 held-out, by a fair coin each. */
  readonly roles: Int32Array;
  /** Shape (numRecords,): labels of the copied records, canary by canary; never the source's own. */
  readonly labels: Int32Array;
}

/**
 * Draw a run's canaries. Sources are audit users in random order, whatever their role (again from the start when there are
 * more canaries than audit users): a choice that looked at roles would make the copied members differ from the copied
 * held-out users. Labels are uniform over the other classes. No audit users, no canaries. `coins` gives the same canaries
 * the other coins of a shadow federation.
 */
export function drawMislabelled(
  shard: Shard,
  { users }: AuditRoles,
  { canaries: { mislabelled: numCanaries }, coins: shadow }: Pick<AuditUsers, 'canaries' | 'coins'>,
  rng: Rng,
): MislabelledCanaries {
  const order = shuffled(rng.fork('sources'), users.length);
  const length = users.length === 0 ? 0 : numCanaries;
  const sources = Int32Array.from({ length }, (_, canary) => users[order[canary % order.length] ?? 0] ?? 0);
  const coins = rng.fork(shadow === undefined ? 'coins' : `coins ${shadow}`);
  const relabelling = rng.fork('labels');
  return {
    sources,
    roles: Int32Array.from(sources, () => (fairCoin(coins) ? 0 : 1)),
    labels: selectUsers(shard, sources).labels.map(
      (label) => (label + 1 + uniformBelow(relabelling, shard.numClasses - 1)) % shard.numClasses,
    ),
  };
}

/** As the ledger keeps them: how many, their sources, their roles, their labels. */
export function packMislabelled({ sources, roles, labels }: MislabelledCanaries): Int32Array {
  return Int32Array.from([sources.length, ...sources, ...roles, ...labels]);
}

/** The inverse of {@link packMislabelled}. */
export function unpackMislabelled(packed: Int32Array): MislabelledCanaries {
  const [count = 0] = packed;
  return {
    sources: packed.slice(1, 1 + count),
    roles: packed.slice(1 + count, 1 + 2 * count),
    labels: packed.slice(1 + 2 * count),
  };
}

/** The shard with the canaries after its own users, in their order, under ids that say what they are. */
export function withMislabelled(shard: Shard, { sources, labels }: MislabelledCanaries): Shard {
  if (sources.length === 0) return shard;
  const userIds = Array.from(sources, (_, canary) => `parley mislabelled canary ${canary}`);
  return concatenateShards([shard, { ...selectUsers(shard, sources), labels, userIds }]);
}

/** The audit roles with the canaries', whose indices follow those of the site's own users. */
export function rolesWithMislabelled(
  shard: Shard,
  audit: AuditRoles,
  { roles }: MislabelledCanaries,
): AuditRoles {
  const first = numUsers(shard);
  return {
    ...audit,
    users: Int32Array.from([...audit.users, ...roles.map((_, canary) => first + canary)]),
    roles: Int32Array.from([...audit.roles, ...roles]),
  };
}
