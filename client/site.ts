import type { Linkage } from '../shared/data/linked-users.ts';
import { allUsers, type Shard } from '../shared/data/shard.ts';
import type { ParameterMask } from '../shared/model/mask.ts';
import type { Sampler } from '../shared/privacy/noise.ts';
import type { Rng } from '../shared/random/rng.ts';
import type { AuditRoles } from './audit-roles.ts';
import type { DirectionCanaries } from './direction-canaries.ts';
import type { SiteLedger } from './ledger.ts';
import type { EligibleUsers } from './ledger-users.ts';
import type { SitePolicy } from './policy.ts';
import type { RedTeam } from './red-team.ts';

/** What a site's part in a round works on. Nothing of it leaves but through the release and the audit users' signals. */
export interface Site {
  readonly shard: Shard;
  /** Records that are nobody's secret, for silo-level defences; none when left out. */
  readonly publicShard?: Shard | undefined;
  /** Users that may train, ascending: all but held-out and reference audit users. */
  readonly trainable: Int32Array;
  /** Trainable users without a person behind them, who are left out of what adaptive clipping counts; none when left out. */
  readonly canaries?: ReadonlySet<number>;
  /** Canaries that are no users of the shard at all; none when left out. */
  readonly directions?: DirectionCanaries;
  /** Simulations only: protection that is claimed and not given. */
  readonly redTeam?: RedTeam | undefined;
  /** The plan's mask: what is trained and released; everything when left out. */
  readonly mask?: ParameterMask | undefined;
  /** Each user's share of the clip norm that is this site's, in (0, 1], shape (numUsers,); 1 for all when left out. */
  readonly weights?: Float64Array | undefined;
  /** Where sites share users: decides their audit roles. */
  readonly linkage?: Linkage | undefined;
  readonly policy: SitePolicy;
  readonly ledger: SiteLedger;
  /** Secure, or seeded in scenarios. */
  readonly rng: Rng;
  /** How the noise of independent rounds is drawn; 'rounded-gaussian' when left out. */
  readonly sampler?: Sampler | undefined;
  /** Hears how far a release has come, before anything else happens: for operators' logs, and for tests that end the process. */
  readonly mark?: ((point: ReleasePoint) => void) | undefined;
}

/**
 * Steps of a release, in order. From `committed` on it is in the ledger for good; before `offered` nothing of it has left.
 * Asked again after a crash, a release that is in the ledger goes from `planned` to `offered`.
 */
export type ReleasePoint =
  /** The plan has arrived and is being carried out. */
  | 'planned'
  /** Policy and budget allow it. */
  | 'within-budget'
  | 'noise-drawn'
  | 'trained'
  /** All that will be released is in memory, nothing is in the ledger. */
  | 'committing'
  /** Entry and bytes are durable. */
  | 'committed'
  /** The coordinator has taken the signed offer, and asks for the bytes that it lacks. */
  | 'offered'
  /** A chunk has arrived, and others are left. */
  | 'half-sent'
  /** The coordinator has confirmed all of it. */
  | 'sent'
  /** Its receipt is in the ledger. */
  | 'received';

/** The same before the audit coins are flipped. */
export type SiteBeforeCoins = Omit<Site, 'trainable' | 'directions' | 'mask'>;

/** The users of a shard that may train under these audit roles, ascending. */
export function trainableUsers(shard: Shard, roles: AuditRoles): Int32Array {
  const apart = [...roles.users].filter((_, index) => roles.roles[index] !== 0);
  const excluded = new Set([...apart, ...(roles.heldOutElsewhere ?? [])]);
  return allUsers(shard).filter((user) => !excluded.has(user));
}

/**
 * Who could be in a release of this site, for its ledger: all people that may train, with their weights. The same object for the
 * same `trainable`, so that a ledger packs thousands of users once a run and not every round.
 */
export function eligibleUsers({ shard, trainable, weights, canaries }: Site): EligibleUsers {
  const known = eligible.get(trainable);
  if (known) return known;
  const people = canaries ? trainable.filter((user) => !canaries.has(user)) : trainable;
  const users = {
    userIds: Array.from(people, (user) => shard.userIds[user] ?? ''),
    ...(weights && { weights: Float64Array.from(people, (user) => weights[user] ?? 1) }),
  };
  eligible.set(trainable, users);
  return users;
}

const eligible = new WeakMap<Int32Array, EligibleUsers>();
