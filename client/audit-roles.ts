import { z } from 'zod';
import { selectUsers } from '../shared/data/partition.ts';
import { numUsers, type Shard } from '../shared/data/shard.ts';
import type { Roster } from '../shared/protocol/roster.ts';
import type { Rng } from '../shared/random/rng.ts';
import { fairCoin, shuffled } from '../shared/random/sample.ts';

/** Which of a site's users are audit users. They are outside the promise, by consent or because they are canaries. */
export const AuditUsers = z.strictObject({
  /** Share of the site's users that are audit users, drawn once. */
  fraction: z.number().min(0).max(1).default(0.2),
  /** Share of the audit users that never train and calibrate attacks; the others flip a fair coin: member or held-out. */
  referenceFraction: z.number().min(0).lt(1).default(0.2),
});
export type AuditUsers = z.infer<typeof AuditUsers>;

/** Audit users of a run: index in the shard (ascending) and role: 0 member, 1 held-out, 2 reference. */
export interface AuditRoles {
  readonly users: Int32Array;
  readonly roles: Int32Array;
}

/**
 * Choose the audit users and flip each one's own fair coin, independently and before anything is trained. Without that coin
 * every attack would measure how the groups differ, not membership (algorithms D5).
 */
export function flipRoles(shard: Shard, options: AuditUsers, rng: Rng): AuditRoles {
  const order = shuffled(rng.fork('audit users'), numUsers(shard));
  const audited = order.slice(0, Math.round(options.fraction * order.length));
  const numReference = Math.round(options.referenceFraction * audited.length);
  const coins = rng.fork('audit coins');
  const drawn = [...audited].map((user, index) => ({
    user,
    role: index < numReference ? 2 : fairCoin(coins) ? 0 : 1,
  }));
  drawn.sort((a, b) => a.user - b.user);
  return {
    users: Int32Array.from(drawn, ({ user }) => user),
    roles: Int32Array.from(drawn, ({ role }) => role),
  };
}

/** Audit roles as the ledger keeps them: users, then roles. */
export function packRoles({ users, roles }: AuditRoles): Int32Array {
  return Int32Array.from([...users, ...roles]);
}

/** The inverse of {@link packRoles}. */
export function unpackRoles(packed: Int32Array): AuditRoles {
  return { users: packed.slice(0, packed.length / 2), roles: packed.slice(packed.length / 2) };
}

/** What the coordinator learns of the audit users: roles, labels, groups, record counts. No identifiers. */
export function rosterOf(
  shard: Shard,
  audit: AuditRoles,
  site: Pick<Roster, 'declaredUsers' | 'privacy'>,
): Roster {
  const { labels, userOffsets, subpopulations } = selectUsers(shard, audit.users);
  return {
    ...site,
    users: { roles: audit.roles },
    recordCounts: audit.users.map((_, index) => (userOffsets[index + 1] ?? 0) - (userOffsets[index] ?? 0)),
    labels,
    subpopulations,
  };
}
