import type { RecordSignals, Signals } from '../shared/model/signals.ts';
import type { SiteId } from '../shared/units.ts';
import { type Evidence, userMeans } from './audit/evidence.ts';
import { type AuditPopulation, mergePopulations, type PopulationPart } from './audit/population.ts';
import type { EnrolledSite, Observations } from './state.ts';

/**
 * Add one round's signals to what the attacker has seen: two means for each user, eight bytes a user and round. A site that
 * did not score this round keeps its last means: its users leave this round's audit, and come back with a flat step in
 * their trajectory.
 */
export function observed(
  before: Observations,
  signals: ReadonlyMap<SiteId, RecordSignals>,
  sites: ReadonlyMap<SiteId, EnrolledSite>,
): Observations {
  const longer = (
    name: 'loss' | 'margin',
    past: Observations['lossHistory'],
  ): Observations['lossHistory'] => {
    const histories = new Map<SiteId, readonly Float32Array[]>();
    for (const [site, { population }] of sites) {
      const earlier = past.get(site) ?? [];
      const initial = before.initial.get(site);
      const current = signals.get(site) ?? (earlier.length === 0 ? initial : undefined);
      const means = current ? userMeans(population, current[name]) : earlier.at(-1);
      if (means) histories.set(site, [...earlier, means]);
    }
    return histories;
  };
  return {
    ...before,
    lossHistory: longer('loss', before.lossHistory),
    marginHistory: longer('margin', before.marginHistory),
  };
}

interface SiteEvidence {
  readonly name: SiteId;
  readonly population: AuditPopulation;
  readonly initial: RecordSignals;
  readonly current: Signals;
}

/**
 * What the attack of a round works on: the audit users of the sites that scored both the initial and the new model. A
 * reference model that one of these sites did not score is left out.
 */
export function evidenceOf(
  observations: Observations,
  signals: ReadonlyMap<SiteId, Signals>,
  sites: ReadonlyMap<SiteId, EnrolledSite>,
): Evidence {
  const parts: SiteEvidence[] = [];
  for (const [name, { population }] of sites) {
    const initial = observations.initial.get(name);
    const current = signals.get(name);
    if (initial && current) parts.push({ name, population, initial, current });
  }
  const histories = (of: Observations['lossHistory']): Float32Array[] => {
    const own = parts.map(({ name }) => of.get(name) ?? []);
    return Array.from({ length: own[0]?.length ?? 0 }, (_, round) => join(own.map((means) => means[round])));
  };
  return {
    population: mergedOnce(parts),
    initial: joinSignals(parts.map(({ initial }) => initial)),
    current: joinSignals(parts.map(({ current }) => current)),
    references: observations.references.flatMap((reference) => {
      const own = parts.map(({ name }) => reference.get(name));
      const present = own.filter((part) => part !== undefined);
      return present.length === own.length ? [joinSignals(present)] : [];
    }),
    lossHistory: histories(observations.lossHistory),
    marginHistory: histories(observations.marginHistory),
  };
}

/** What was merged last for the first of some sites: the same ones score in almost every round. */
const merges = new WeakMap<
  AuditPopulation,
  { readonly parts: readonly PopulationPart[]; readonly merged: AuditPopulation }
>();

function mergedOnce(parts: readonly PopulationPart[]): AuditPopulation {
  const first = parts[0]?.population;
  const latest = first && merges.get(first);
  const isSame = (known: PopulationPart, index: number): boolean =>
    known.population === parts[index]?.population;
  if (latest?.parts.length === parts.length && latest.parts.every(isSame)) return latest.merged;
  const merged = mergePopulations(parts);
  if (first) merges.set(first, { parts: [...parts], merged });
  return merged;
}

function joinSignals(parts: readonly Signals[]): Signals {
  const embeddings = parts.map(({ embedding }) => embedding);
  return {
    loss: join(parts.map((part) => part.loss)),
    margin: join(parts.map((part) => part.margin)),
    hinge: join(parts.map((part) => part.hinge)),
    entropy: join(parts.map((part) => part.entropy)),
    modifiedEntropy: join(parts.map((part) => part.modifiedEntropy)),
    // One model: all sites have these columns or none has.
    ...(embeddings[0] && {
      embedding: {
        compactness: join(embeddings.map((part) => part?.compactness)),
        pair: join(embeddings.map((part) => part?.pair)),
        separation: join(embeddings.map((part) => part?.separation)),
      },
    }),
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
