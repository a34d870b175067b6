import { z } from 'zod';
import { roleDraw } from '../shared/crypto/pseudonym.ts';
import type { Linkage } from '../shared/data/linked-users.ts';
import { selectUsers } from '../shared/data/partition.ts';
import { numUsers, type Shard } from '../shared/data/shard.ts';
import type { Roster } from '../shared/protocol/roster.ts';
import type { Rng } from '../shared/random/rng.ts';
import { fairCoin, shuffled } from '../shared/random/sample.ts';
import type { RunId } from '../shared/units.ts';

/** Which of a site's users are audit users. They are outside the promise, by consent or because they are canaries. */
export const AuditUsers = z.strictObject({
  /** Share of the site's users that are audit users, drawn once. */
  fraction: z.number().min(0).max(1).default(0.2),
  /** Share of the audit users that never train and calibrate attacks; the others flip a fair coin: member or held-out. */
  referenceFraction: z.number().min(0).lt(1).default(0.2),
  canaries: z
    .strictObject({
      /** Extra users without a person behind them: copies of audit users with every label changed to a wrong one. */
      mislabelled: z.number().int().min(0).max(10_000).default(0),
    })
    .prefault({}),
  /** Whether the roster tells where each audit user stands in the space of features (16 coordinates at most). */
  places: z.boolean().default(true),
});
export type AuditUsers = z.infer<typeof AuditUsers>;

/** The two shares that decide the roles. */
export type AuditShares = Pick<AuditUsers, 'fraction' | 'referenceFraction'>;

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
export function rolesFor(run: RunId, { shard, rng, linkage }: RoleSource, options: AuditShares): AuditRoles {
  return linkage === undefined
    ? flipRoles(shard, options, rng.fork('audit roles'))
    : linkedRoles(run, linkage, options);
}

/**
 * Roles that are the same at every site that knows the person, each from that person's own draw under the linkage key: who
 * else is in the data changes nothing. A person at several sites is audited, and counts, at one of them; the others only
 * keep her out of training where she is not a member.
 */
function linkedRoles(run: RunId, linkage: Linkage, options: AuditShares): AuditRoles {
  const [users, roles, heldOutElsewhere]: [number[], number[], number[]] = [[], [], []];
  linkage.pseudonyms.forEach((pseudonym, user) => {
    const { audited, reference, member } = roleDraw(linkage.key, run, pseudonym);
    if (audited >= options.fraction) return;
    const role = reference < options.referenceFraction ? 2 : member ? 0 : 1;
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
 * Choose the audit users and flip each one's own fair coin, independently and before anything is trained. Without that coin
 * every attack would measure how the groups differ, not membership (algorithms D5).
 */
export function flipRoles(shard: Shard, options: AuditShares, rng: Rng): AuditRoles {
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

/** What a roster says beside the audit users' own records. */
export type RosterFacts = Pick<Roster, 'declaredUsers' | 'privacy' | 'places'> & {
  /** Indices of the shard's users who are mislabelled canaries; none when left out. */
  readonly mislabelled?: ReadonlySet<number>;
};

/** What the coordinator learns of the audit users: roles, labels, groups, record counts, strata, places. No identifiers. */
export function rosterOf(
  shard: Shard,
  audit: AuditRoles,
  { mislabelled, places, ...site }: RosterFacts,
): Roster {
  const { labels, userOffsets, subpopulations } = selectUsers(shard, audit.users);
  return {
    ...site,
    users: { roles: audit.roles },
    recordCounts: audit.users.map((_, index) => (userOffsets[index + 1] ?? 0) - (userOffsets[index] ?? 0)),
    labels,
    subpopulations,
    ...(mislabelled?.size && { strata: audit.users.map((user) => (mislabelled.has(user) ? 1 : 0)) }),
    ...(places && { places }),
  };
}
