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
import { flipCanaries } from './direction-canaries.ts';

/** Which of a site's users are audit users. They are outside the promise, by consent or because they are canaries. */
export const AuditUsers = z.strictObject({
  /** Probability with which each of the site's users is an audit user: 0 nobody, 1 everybody. Drawn once a run. */
  fraction: z.number().min(0).max(1).default(0.2),
  /** Probability with which an audit user never trains and calibrates attacks; the others flip a fair coin: member or held-out. */
  referenceFraction: z.number().min(0).lt(1).default(0.2),
  /** Users without a person behind them, who take part so that audits can find them. */
  canaries: z
    .strictObject({
      /** How many whose update is a public random direction. */
      directions: z.number().int().nonnegative().max(100_000).default(0),
      /** How many that copy audit users' records with every label changed to a wrong one. */
      mislabelled: z.number().int().nonnegative().max(10_000).default(0),
    })
    .prefault({}),
  /**
   * Share of each audit user's records, the last ones, that never trains: rounded down, and one record stays. Attacks on
   * records that the model never saw are measured on them. Not to be changed during a run.
   */
  freshFraction: z.number().min(0).lt(1).default(0),
  /**
   * Whether the roster tells where each audit user stands in the space of features (16 coordinates at most): of a user with
   * one record and few features that is the record itself.
   */
  places: z.boolean().default(false),
  /** Simulations only: other fair coins for the same audit users, as a shadow federation flips them. */
  coins: z.number().int().positive().optional(),
});
export type AuditUsers = z.infer<typeof AuditUsers>;

/** Who is an audit user, and in which role. */
export type AuditShares = Pick<AuditUsers, 'fraction' | 'referenceFraction' | 'coins'>;

/** Audit users of a run: index in the shard (ascending) and role: 0 member, 1 held-out, 2 reference. */
export interface AuditRoles {
  readonly users: Int32Array;
  readonly roles: Int32Array;
  /** Linked users who are held-out or reference users and audited at another site (ascending): they must not train here either. */
  readonly heldOutElsewhere?: Int32Array;
  /** Coins of the random-direction canaries, shape (numCanaries,): 0 member, 1 held-out; none when left out. */
  readonly canaries?: Int32Array;
}

/** What a site's audit roles are made of. */
export interface RoleSource {
  readonly shard: Shard;
  readonly rng: Rng;
  readonly linkage?: Linkage | undefined;
}

/** The audit roles of a run, before they are kept in the ledger: of linked users the same at all sites, else this site's own. */
export function rolesFor(
  run: RunId,
  { shard, rng, linkage }: RoleSource,
  options: AuditShares & Partial<Pick<AuditUsers, 'canaries'>>,
): AuditRoles {
  const roles =
    linkage === undefined
      ? flipRoles(shard, options, rng.fork('audit roles'))
      : linkedRoles(run, linkage, options);
  const directions = options.canaries?.directions ?? 0;
  if (directions === 0) return roles;
  return { ...roles, canaries: flipCanaries(directions, rng.fork(`run ${run} canary coins`)) };
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
export function flipRoles(shard: Shard, options: AuditShares, rng: Rng): AuditRoles {
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
function coinsOf(own: Rng, { coins }: AuditShares, { kind }: Rng): Rng {
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
/** Stand in the ledger for a member and a held-out canary; in place of users they have their own numbers, from 0. */
const canaryCodes = [4, 5] as const;

/** Audit roles as the ledger keeps them: users, then roles. */
export function packRoles({
  users,
  roles,
  heldOutElsewhere = new Int32Array(0),
  canaries = new Int32Array(0),
}: AuditRoles): Int32Array {
  const codes = canaries.map((coin) => canaryCodes[coin] ?? canaryCodes[1]);
  return Int32Array.from([
    ...[...users, ...heldOutElsewhere, ...canaries.keys()],
    ...[...roles, ...heldOutElsewhere.map(() => elsewhere), ...codes],
  ]);
}

/** The inverse of {@link packRoles}. */
export function unpackRoles(packed: Int32Array): AuditRoles {
  const [all, codes] = [packed.slice(0, packed.length / 2), packed.slice(packed.length / 2)];
  const having = (wanted: (code: number) => boolean): Int32Array =>
    all.filter((_, index) => wanted(codes[index] ?? 0));
  const heldOutElsewhere = having((code) => code === elsewhere);
  const canaries = codes.filter((code) => code > elsewhere).map((code) => code - canaryCodes[0]);
  return {
    users: having((code) => code < elsewhere),
    roles: codes.filter((code) => code < elsewhere),
    ...(heldOutElsewhere.length > 0 && { heldOutElsewhere }),
    ...(canaries.length > 0 && { canaries }),
  };
}

/** How many of each audit user's last records never train, shape (audit.users.length,). */
export function freshCounts(shard: Shard, { users }: AuditRoles, freshFraction: number): Int32Array {
  return users.map((user) => {
    const numRecords = (shard.userOffsets[user + 1] ?? 0) - (shard.userOffsets[user] ?? 0);
    return Math.max(0, Math.min(Math.floor(freshFraction * numRecords), numRecords - 1));
  });
}

/**
 * The shard that a site may train on: all users in their places, audit users without their fresh records. The same object
 * where no record is fresh.
 */
export function trainingShard(shard: Shard, audit: AuditRoles, freshFraction: number): Shard {
  const fresh = freshCounts(shard, audit, freshFraction);
  if (!fresh.some((count) => count > 0)) return shard;
  const freshOf = new Map([...audit.users].map((user, index) => [user, fresh[index] ?? 0]));
  const kept: number[] = [];
  const userOffsets = new Int32Array(shard.userOffsets.length);
  for (let user = 0; user < userOffsets.length - 1; user++) {
    const end = (shard.userOffsets[user + 1] ?? 0) - (freshOf.get(user) ?? 0);
    for (let record = shard.userOffsets[user] ?? 0; record < end; record++) kept.push(record);
    userOffsets[user + 1] = kept.length;
  }
  const { numFeatures } = shard;
  const features = new Float32Array(kept.length * numFeatures);
  kept.forEach((record, row) => {
    features.set(
      shard.features.subarray(record * numFeatures, (record + 1) * numFeatures),
      row * numFeatures,
    );
  });
  return {
    ...shard,
    features,
    labels: Int32Array.from(kept, (record) => shard.labels[record] ?? 0),
    userOffsets,
  };
}

/** What a roster says beside the audit users' own records. */
export type RosterFacts = Pick<Roster, 'declaredUsers' | 'privacy' | 'places'> & {
  /** Indices of the shard's users who are mislabelled canaries; none when left out. */
  readonly mislabelled?: ReadonlySet<number>;
  readonly freshFraction?: number;
};

/** What the coordinator learns of the audit users: roles, labels, groups, record counts, strata, places. No identifiers. */
export function rosterOf(
  shard: Shard,
  audit: AuditRoles,
  { mislabelled, places, declaredUsers, privacy, freshFraction = 0 }: RosterFacts,
): Roster {
  const { labels, userOffsets, subpopulations } = selectUsers(shard, audit.users);
  return {
    declaredUsers,
    privacy,
    users: { roles: audit.roles },
    recordCounts: audit.users.map((_, index) => (userOffsets[index + 1] ?? 0) - (userOffsets[index] ?? 0)),
    freshCounts: freshCounts(shard, audit, freshFraction),
    labels,
    subpopulations,
    canaries: audit.canaries ?? new Int32Array(0),
    ...(mislabelled?.size && { strata: audit.users.map((user) => (mislabelled.has(user) ? 1 : 0)) }),
    ...(places && { places }),
  };
}
