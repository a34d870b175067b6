import { ParleyError } from '../../shared/errors.ts';
import { decodedUpdate } from '../../shared/protocol/payloads.ts';
import { participationRate, releaseShape } from '../../shared/protocol/plan.ts';
import type { SiteId } from '../../shared/units.ts';
import type { FinishedSimulation } from './finished-simulation.ts';

/** One site's part of a round's mean, as the site's own model would have moved. */
export interface SiteUpdate {
  readonly site: SiteId;
  /** The release in parameter units over the site's own public denominator, shape (numParams,). */
  readonly mean: Float64Array;
}

/**
 * What each site released in a round, as a coordinator without secure aggregation sees it. Sites that did not answer are
 * left out; the count of adaptive clipping is cut off.
 *
 * @throws RUN_NOT_FOUND when a simulation has no releases of that round.
 */
export function siteUpdates(simulation: FinishedSimulation, round: number): SiteUpdate[] {
  const { protection, sites, manifest } = simulation;
  const numParams = simulation.parameters(round).length;
  const { numCoordinates, gridStep } = releaseShape(protection, numParams);
  const updates = [...sites].flatMap(([site, { releases }]): SiteUpdate[] => {
    const bytes = releases.get(round);
    if (bytes === undefined) return [];
    const declared = manifest.sites.find(({ id }) => id === site)?.declaredUsers ?? 1;
    const scale = gridStep / (participationRate(protection) * declared);
    const update = decodedUpdate(bytes, numCoordinates).subarray(0, numParams);
    return [{ site, mean: Float64Array.from(update, (value) => value * scale) }];
  });
  if (updates.length > 0) return updates;
  throw new ParleyError(
    'RUN_NOT_FOUND',
    `no site kept its release of round ${round}: simulate with \`keepReleases: all\` in the sites' policy`,
  );
}
