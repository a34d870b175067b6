import type { RecordSignals } from '../shared/model/signals.ts';
import type { SiteId } from '../shared/units.ts';
import { type Evidence, userMeans } from './audit/evidence.ts';
import { type AuditPopulation, mergePopulations } from './audit/population.ts';
import type { EnrolledSite, Observations } from './state.ts';

/**
 * Add one round's signals to what the attacker has seen. A site that did not score this round keeps its last losses: its
 * users leave this round's audit, and come back with a flat step in their trajectory.
 */
export function observed(
  before: Observations,
  signals: ReadonlyMap<SiteId, RecordSignals>,
  sites: ReadonlyMap<SiteId, EnrolledSite>,
): Observations {
  const lossHistory = new Map<SiteId, readonly Float32Array[]>();
  for (const [site, { population }] of sites) {
    const past = before.lossHistory.get(site) ?? [];
    const initial = before.initial.get(site);
    const current = signals.get(site) ?? (past.length === 0 ? initial : undefined);
    const losses = current ? userMeans(population, current.loss) : past.at(-1);
    if (losses) lossHistory.set(site, [...past, losses]);
  }
  return { initial: before.initial, lossHistory };
}

/** What the attack of a round works on: the audit users of the sites that scored both the initial and the new model. */
export function evidenceOf(
  observations: Observations,
  signals: ReadonlyMap<SiteId, RecordSignals>,
  sites: ReadonlyMap<SiteId, EnrolledSite>,
): Evidence {
  const parts: { name: string; population: AuditPopulation }[] = [];
  const initial: RecordSignals[] = [];
  const current: RecordSignals[] = [];
  const histories: (readonly Float32Array[])[] = [];
  for (const [site, { population }] of sites) {
    const before = observations.initial.get(site);
    const now = signals.get(site);
    if (!before || !now) continue;
    parts.push({ name: site, population });
    initial.push(before);
    current.push(now);
    histories.push(observations.lossHistory.get(site) ?? []);
  }
  const rounds = histories[0]?.length ?? 0;
  return {
    population: mergePopulations(parts),
    initial: joinSignals(initial),
    current: joinSignals(current),
    lossHistory: Array.from({ length: rounds }, (_, round) => join(histories.map((losses) => losses[round]))),
  };
}

function joinSignals(parts: readonly RecordSignals[]): RecordSignals {
  return {
    loss: join(parts.map((part) => part.loss)),
    margin: join(parts.map((part) => part.margin)),
    hinge: join(parts.map((part) => part.hinge)),
    modifiedEntropy: join(parts.map((part) => part.modifiedEntropy)),
  };
}

function join(parts: readonly (Float32Array | undefined)[]): Float32Array {
  const present = parts.filter((part) => part !== undefined);
  const joined = new Float32Array(present.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of present) {
    joined.set(part, offset);
    offset += part.length;
  }
  return joined;
}
