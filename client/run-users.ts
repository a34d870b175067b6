import { lengthPrefixed, sha256 } from '../shared/crypto/encoding.ts';
import { numUsers, type Shard } from '../shared/data/shard.ts';
import { ParleyError } from '../shared/errors.ts';
import type { RunId, Sha256 } from '../shared/units.ts';
import {
  type AuditRoles,
  type AuditUsers,
  packRoles,
  rolesFor,
  trainingShard,
  unpackRoles,
} from './audit-roles.ts';
import {
  drawMislabelled,
  type MislabelledCanaries,
  packMislabelled,
  rolesWithMislabelled,
  unpackMislabelled,
  withMislabelled,
} from './mislabelled.ts';
import { type SiteBeforeCoins, trainableUsers } from './site.ts';

/** A site's users as one run sees them: its own, then the run's canaries, all with their audit roles. */
export interface RunUsers {
  readonly shard: Shard;
  /** The same users without the fresh records of audit users, which never train. */
  readonly trainingShard: Shard;
  readonly roles: AuditRoles;
  /** Users that may train, canaries included, ascending. */
  readonly trainable: Int32Array;
  /** Indices of all canaries, who are no people: outside declared users, ledger and whatever counts users. */
  readonly canaries: ReadonlySet<number>;
  readonly weights: Float64Array | undefined;
}

/**
 * The users of a run: audit coins and canaries are drawn once, kept in the ledger, and the same after a restart. The same
 * object again for the same shard and run, so that nothing of its size is copied every round. Throws RUN_MISMATCH where the
 * table is another one than the run began with.
 */
export async function usersOf(run: RunId, site: SiteBeforeCoins, audit: AuditUsers): Promise<RunUsers> {
  const before = known.get(site.shard);
  if (before?.run === run) return before.users;
  const users = await drawnUsers(run, site, audit);
  known.set(site.shard, { run, users });
  return users;
}

const known = new WeakMap<Shard, { readonly run: RunId; readonly users: RunUsers }>();

async function drawnUsers(run: RunId, site: SiteBeforeCoins, audit: AuditUsers): Promise<RunUsers> {
  const { shard, ledger, rng } = site;
  await assertSameTable(run, site);
  const flip = (): Int32Array => packRoles(rolesFor(run, site, audit));
  const own = unpackRoles(await ledger.roles(run, flip));
  const draw = (): Int32Array =>
    packMislabelled(drawMislabelled(shard, own, audit, rng.fork('mislabelled canaries')));
  const mislabelled = unpackMislabelled(await ledger.mislabelled(run, draw));
  return withCanaries(site, { own, mislabelled, freshFraction: audit.freshFraction });
}

/**
 * Roles are kept by the users' places in the table: in another one they would be other people's, whose signals would leave the site
 * outside any promise.
 */
async function assertSameTable(run: RunId, { shard, ledger }: SiteBeforeCoins): Promise<void> {
  const hash = tableHash(shard);
  if ((await ledger.table(run, hash)) === hash) return;
  throw new ParleyError(
    'RUN_MISMATCH',
    `the site's table is not the one that its audit roles in run ${run} were drawn for: its users, their order, how many records they ` +
      'have or the labels of these have changed. Put the table of the beginning back, or wait for the next run',
  );
}

/** Of what roles, rosters and signals rest on; values of features may be corrected during a run. */
function tableHash({ userIds, userOffsets, labels }: Shard): Sha256 {
  return sha256(lengthPrefixed([JSON.stringify(userIds), bytesOf(userOffsets), bytesOf(labels)]));
}

function bytesOf({ buffer, byteOffset, byteLength }: Int32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/** A site's own users with their roles and the canaries that were drawn for a run, put together. */
export function withCanaries(
  site: Pick<SiteBeforeCoins, 'shard' | 'weights'>,
  drawn: {
    readonly own: AuditRoles;
    readonly mislabelled: MislabelledCanaries;
    readonly freshFraction: number;
  },
): RunUsers {
  const { own, mislabelled, freshFraction } = drawn;
  const roles = rolesWithMislabelled(site.shard, own, mislabelled);
  const extended = withMislabelled(site.shard, mislabelled);
  const first = numUsers(site.shard);
  return {
    shard: extended,
    trainingShard: trainingShard(extended, roles, freshFraction),
    roles,
    trainable: trainableUsers(extended, roles),
    canaries: new Set([...mislabelled.sources.keys()].map((canary) => first + canary)),
    weights: weightsOf(site, mislabelled.sources.length),
  };
}

/** A canary is at one site only: all of its clip norm is this site's. */
function weightsOf(
  { weights }: Pick<SiteBeforeCoins, 'weights'>,
  numCanaries: number,
): Float64Array | undefined {
  return weights && Float64Array.from([...weights, ...new Float64Array(numCanaries).fill(1)]);
}
