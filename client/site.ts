import type { Shard } from '../shared/data/shard.ts';
import type { Rng } from '../shared/random/rng.ts';
import type { AuditRoles } from './audit-roles.ts';
import type { SiteLedger } from './ledger.ts';
import type { SitePolicy } from './policy.ts';

/** What a site's part in a round works on. Nothing of it leaves but through the release and the audit users' signals. */
export interface Site {
  readonly shard: Shard;
  /** Users that may train, ascending: all but held-out and reference audit users. */
  readonly trainable: Int32Array;
  readonly policy: SitePolicy;
  readonly ledger: SiteLedger;
  /** Secure, or seeded in scenarios. */
  readonly rng: Rng;
}

/** The same before the audit coins are flipped. */
export type SiteBeforeCoins = Omit<Site, 'trainable'>;

/** The users of a shard that may train under these audit roles, ascending. */
export function trainableUsers(shard: Shard, roles: AuditRoles): Int32Array {
  const excluded = new Set([...roles.users].filter((_, index) => roles.roles[index] !== 0));
  const all = Int32Array.from({ length: shard.userOffsets.length - 1 }, (_, user) => user);
  return all.filter((user) => !excluded.has(user));
}
