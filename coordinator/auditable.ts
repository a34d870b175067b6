import type { EmbeddingSignals, RecordSignals, Signals } from '../shared/model/signals.ts';
import { hasHiddenLayer, type ModelSpec } from '../shared/model/spec.ts';
import type { SiteId } from '../shared/units.ts';
import { assertMeasurable } from './audit/audit-round.ts';
import { type AuditPopulation, numRecords, recordCounts } from './audit/population.ts';
import { evidenceOf, observed } from './observations.ts';
import type { RunContext } from './state.ts';

/**
 * Refuse a run that no round could audit, before any site spends something on it. The declared attack is tried on made-up
 * signals, which let it do all that the rosters, the model and the number of reference models allow. What only the sites'
 * own signals tell (say, that a user's records are all alike) shows after the first round.
 *
 * @throws CONFIG_INVALID as `auditRound`: without members or without held-out users, or when the declared attack cannot be
 * measured.
 */
export function assertCanBeAudited(run: Pick<RunContext, 'config' | 'sites' | 'referenceModels'>): void {
  const { config, sites, referenceModels } = run;
  const signals = supposedSignals(sites, config.model);
  const unseen = {
    initial: signals,
    references: referenceModels.map(() => signals),
    lossHistory: new Map(),
    marginHistory: new Map(),
  };
  assertMeasurable(evidenceOf(observed(unseen, signals, sites), signals, sites), config.audit);
}

/** Signals of the shape that the sites' will have; no two records are alike. */
function supposedSignals(sites: RunContext['sites'], model: ModelSpec): ReadonlyMap<SiteId, Signals> {
  const total = [...sites.values()].reduce((sum, { population }) => sum + numRecords(population), 0);
  const supposed = new Map<SiteId, Signals>();
  let first = 1;
  for (const [site, { population }] of sites) {
    const records = recordSignals(numRecords(population), (record) => (first + record) / (total + 1));
    supposed.set(site, {
      ...records,
      ...(hasHiddenLayer(model) && { embedding: supposedEmbedding(population) }),
    });
    first += numRecords(population);
  }
  return supposed;
}

function recordSignals(length: number, valueOf: (record: number) => number): RecordSignals {
  const values = Float32Array.from({ length }, (_, record) => valueOf(record));
  return { loss: values, margin: values, hinge: values, entropy: values, modifiedEntropy: values };
}

/** As sites measure it, were all records distinct: -1 for whom there is nothing to compare. */
function supposedEmbedding(population: AuditPopulation): EmbeddingSignals {
  const { roles, freshCounts } = population;
  const seen = freshCounts?.some((count) => count > 0) ? freshCounts : recordCounts(population);
  const isCentre = roles.map((role, user) => role === 'reference' && (seen[user] ?? 0) > 0);
  const numCentres = isCentre.filter(Boolean).length;
  const within = Float32Array.from(seen, (count) => (count >= 2 ? 1 : -1));
  const separation = within.map((value, user) =>
    numCentres > (isCentre[user] === true ? 1 : 0) ? value : -1,
  );
  return { compactness: within, pair: within, separation };
}
