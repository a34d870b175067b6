import { selectUsers } from '../../shared/data/partition.ts';
import type { Shard } from '../../shared/data/shard.ts';
import type { Rng } from '../../shared/random/rng.ts';
import { shuffled } from '../../shared/random/sample.ts';
import type { SiteId } from '../../shared/units.ts';
import type { FinishedSimulation } from './finished-simulation.ts';

/** A site's member and held-out audit users, as the target of red-team roles. */
export interface Targets {
  readonly site: SiteId;
  /** Indices in the site's shard, ascending, shape (numTargets,). */
  readonly users: Int32Array;
  /** 1 where the user could train, shape (numTargets,); for evaluation only. */
  readonly isMember: Uint8Array;
  /** The records of these users only. */
  readonly records: Shard;
}

const heldOutRole = 1;

/** Member and held-out audit users of every site; reference users and canaries are nobody's target. */
export function targetsOf({ sites }: FinishedSimulation): Targets[] {
  return [...sites].map(([site, { shard, roles, canaries }]) => {
    const isTarget = (index: number): boolean =>
      (roles.roles[index] ?? 2) <= heldOutRole && !canaries.has(roles.users[index] ?? -1);
    const chosen = [...roles.users.keys()].filter(isTarget);
    const users = Int32Array.from(chosen, (index) => roles.users[index] ?? 0);
    const isMember = Uint8Array.from(chosen, (index) => (roles.roles[index] === 0 ? 1 : 0));
    return { site, users, isMember, records: selectUsers(shard, users) };
  });
}

/** At most `most` of a site's targets, half of them members and half held-out where there are enough of both. */
export function sampled({ site, users, isMember, records }: Targets, most: number, rng: Rng): Targets {
  const of = (member: number): number[] =>
    [...shuffled(rng.fork(`role ${member}`), users.length)].filter((index) => isMember[index] === member);
  const half = Math.ceil(most / 2);
  const kept = Int32Array.from([...of(1).slice(0, half), ...of(0).slice(0, half)]).sort();
  return {
    site,
    users: kept.map((index) => users[index] ?? 0),
    isMember: Uint8Array.from(kept, (index) => isMember[index] ?? 0),
    records: selectUsers(records, kept),
  };
}
