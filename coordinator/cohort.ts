import type { Rng } from '../shared/random/rng.ts';
import { uniformBelow } from '../shared/random/sample.ts';
import type { SiteId } from '../shared/units.ts';

/**
 * Choose the sites that a round asks, sorted by name: all that are present, or a uniform choice of `size` of them. This is
 * a choice of sites, known to the coordinator: it amplifies nothing and no accounting relies on it.
 */
export function selectCohort(present: readonly SiteId[], size: 'all' | number, rng: Rng): readonly SiteId[] {
  const pool = [...present].sort();
  if (size === 'all' || size >= pool.length) return pool;
  const chosen: SiteId[] = [];
  while (chosen.length < size) chosen.push(...pool.splice(uniformBelow(rng, pool.length), 1));
  return chosen.sort();
}
