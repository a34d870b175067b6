import type { Signals } from '../shared/model/signals.ts';
import { hasHiddenLayer, type ModelSpec } from '../shared/model/spec.ts';
import { decodedSignals, type SignalsShape } from '../shared/protocol/payloads.ts';
import { RoundIndex, type SiteId } from '../shared/units.ts';
import { numRecords } from './audit/population.ts';
import { observed } from './observations.ts';
import type { Observations, RunContext } from './state.ts';

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

/** What the attacker had seen after the first `rounds` rounds, beside the signals under reference models. */
export async function restoredObservations(
  rounds: number,
  references: Observations['references'],
  run: Pick<RunContext, 'config' | 'sites' | 'store'>,
): Promise<Observations> {
  const ofVersion = (version: number): ReturnType<typeof signalsOf> =>
    signalsOf(RoundIndex.parse(version), run.config.model, run);
  const [lossHistory, marginHistory] = [new Map(), new Map()];
  let observations: Observations = { initial: await ofVersion(0), references, lossHistory, marginHistory };
  for (let version = 1; version <= rounds; version++)
    observations = observed(observations, await ofVersion(version), run.sites);
  return observations;
}
