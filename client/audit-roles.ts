import { z } from 'zod';
import { roleDraw } from '../shared/crypto/pseudonym.ts';
import type { Linkage } from '../shared/data/linked-users.ts';
import { selectUsers } from '../shared/data/partition.ts';
import type { Shard } from '../shared/data/shard.ts';
import { ParleyError } from '../shared/errors.ts';
import type { Roster } from '../shared/protocol/roster.ts';
import type { Rng } from '../shared/random/rng.ts';
import { fairCoin } from '../shared/random/sample.ts';
import type { RunId } from '../shared/units.ts';

/** Which of a site's users are audit users. They are outside the promise, by consent or because they are canaries. */
export const AuditUsers = z.strictObject({
  /** Probability with which each of the site's users is an audit user: 0 nobody, 1 everybody. Drawn once a run. */
  fraction: z.number().min(0).max(1).default(0.2),
  /** Probability with which an audit user never trains and calibrates attacks; the others flip a fair coin: member or held-out. */
  referenceFraction: z.number().min(0).lt(1).default(0.2),
  /** Simulations only: other fair coins for the same audit users, as a shadow federation flips them. */
  coins: z.number().int().positive().optional(),
});
export type AuditUsers = z.infer<typeof AuditUsers>;

/** Audit users of a run: index in the shard (ascending) and role: 0 member, 1 held-out, 2 reference. */
export interface AuditRoles {
  readonly users: Int32Array;
  readonly roles: Int32Array;
  /** Linked users who are held-out or reference users and audited at another site (ascending): they must not train here either. */
  readonly heldOutElsewhere?: Int32Array;
}

/** What a site's audit roles are made of. */
export interface RoleSource {
  readonly shard: Shard;
  readonly rng: Rng;
  readonly linkage?: Linkage | undefined;
}

/** The audit roles of a run, before they are kept in the ledger: of linked users the same at all sites, else this site's own. */
export function rolesFor(run: RunId, { shard, rng, linkage }: RoleSource, options: AuditUsers): AuditRoles {
  return linkage === undefined
    ? flipRoles(shard, options, rng.fork('audit roles'))
    : linkedRoles(run, linkage, options);
}

/**
 * Roles that are the same at every site that knows the person, each from that person's own draw under the linkage key: who
 * else is in the data changes nothing. A person at several sites is audited, and counts, at one of them; the others only
 * keep her out of training where she is not a member.
 */
function linkedRoles(run: RunId, linkage: Linkage, options: AuditUsers): AuditRoles {
  const [users, roles, heldOutElsewhere]: [number[], number[], number[]] = [[], [], []];
  linkage.pseudonyms.forEach((pseudonym, user) => {
    const { audited, reference, member } = roleDraw(linkage.key, run, pseudonym);
    if (audited >= options.fraction) return;
    const role = roleOf(reference < options.referenceFraction, member);
    if (linkage.auditedHere[user] === true) {
      users.push(user);
      roles.push(role);
    } else if (role !== 0) heldOutElsewhere.push(user);
  });
  return {
    users: Int32Array.from(users),
    roles: Int32Array.from(roles),
    heldOutElsewhere: Int32Array.from(heldOutElsewhere),
  };
}

/**
 * Choose the audit users and their roles by every user's own independent coins, before anything is trained: audit user with
 * probability `fraction`, then reference user with probability `referenceFraction`, then fairly member or held-out. Without
 * that last coin every attack would measure how the groups differ, not membership (algorithms D5).
 *
 * Each user's coins come from a stream of her own, by id: another user, added or removed, changes nobody else's role, and the
 * number of audit users does not tell the number of users.
 */
export function flipRoles(shard: Shard, options: AuditUsers, rng: Rng): AuditRoles {
  const [users, roles]: [number[], number[]] = [[], []];
  shard.userIds.forEach((id, user) => {
    const own = rng.fork(`user/${id}`);
    if (own.uniform() >= options.fraction) return;
    users.push(user);
    const isReference = own.uniform() < options.referenceFraction;
    roles.push(roleOf(isReference, fairCoin(coinsOf(own, options, rng))));
  });
  return { users: Int32Array.from(users), roles: Int32Array.from(roles) };
}

/** A user's fair coin: the next number of her own stream, or one that only a shadow federation flips. */
function coinsOf(own: Rng, { coins }: AuditUsers, { kind }: Rng): Rng {
  if (coins === undefined) return own;
  if (kind === 'secure')
    throw new ParleyError(
      'CONFIG_INVALID',
      'audit.coins is for the shadow federations of a simulation: without a seed nobody can flip the same coins again',
    );
  return own.fork(`coins ${coins}`);
}

function roleOf(reference: boolean, member: boolean): number {
  if (reference) return 2;
  return member ? 0 : 1;
}

/** Stands in the ledger for a user who is held out here and audited elsewhere. */
const elsewhere = 3;

/** Audit roles as the ledger keeps them: users, then roles. */
export function packRoles({ users, roles, heldOutElsewhere = new Int32Array(0) }: AuditRoles): Int32Array {
  return Int32Array.from([...users, ...heldOutElsewhere, ...roles, ...heldOutElsewhere.map(() => elsewhere)]);
}

/** The inverse of {@link packRoles}. */
export function unpackRoles(packed: Int32Array): AuditRoles {
  const [users, roles] = [packed.slice(0, packed.length / 2), packed.slice(packed.length / 2)];
  if (!roles.includes(elsewhere)) return { users, roles };
  const isHere = (_: number, index: number): boolean => roles[index] !== elsewhere;
  return {
    users: users.filter(isHere),
    roles: roles.filter((role) => role !== elsewhere),
    heldOutElsewhere: users.filter((_, index) => roles[index] === elsewhere),
  };
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
