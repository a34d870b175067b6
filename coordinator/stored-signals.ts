import type { Signals } from '../shared/model/signals.ts';
import { hasHiddenLayer, type ModelSpec } from '../shared/model/spec.ts';
import { decodedSignals, type SignalsShape } from '../shared/protocol/payloads.ts';
import type { RoundIndex, SiteId } from '../shared/units.ts';
import { numRecords } from './audit/population.ts';
import type { RunContext } from './state.ts';

/** How large a site's signals under a model are; of a site that is not enrolled, empty. */
export function signalsShape(site: SiteId, spec: ModelSpec, run: Pick<RunContext, 'sites'>): SignalsShape {
  const population = run.sites.get(site)?.population;
  return {
    numRecords: population ? numRecords(population) : 0,
    numUsers: population ? population.roles.length : 0,
    hasEmbedding: hasHiddenLayer(spec),
  };
}

/** The stored signals of a model version, by enrolled site. */
export async function signalsOf(
  version: RoundIndex,
  spec: ModelSpec,
  run: Pick<RunContext, 'sites' | 'store'>,
): Promise<ReadonlyMap<SiteId, Signals>> {
  const signals = new Map<SiteId, Signals>();
  for (const [site, bytes] of await run.store.signals(version))
    if (run.sites.has(site)) signals.set(site, decodedSignals(bytes, signalsShape(site, spec, run)));
  return signals;
}
