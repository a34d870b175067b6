import type { Targets } from './audit-users.ts';
import type { FinishedSimulation } from './finished-simulation.ts';
import { cosine, moved, updateUnder, userLosses, type Workbench } from './measures.ts';
import { type SiteUpdate, siteUpdates } from './site-updates.ts';

/** What a coordinator measures of one site's targets against every site's update, round by round. */
export interface SiteMeasures {
  /** Rounds that every site answered. */
  readonly numRounds: number;
  readonly numSites: number;
  /** Cosine between each site's update and the one that the target's records make; shape (rounds, numSites, numTargets). */
  readonly cosine: Float64Array;
  /** The target's mean loss in nats under each site's own model; the same shape. */
  readonly ownModel: Float64Array;
  /** The same two against the mean of all sites, all that secure aggregation leaves; shape (rounds, numTargets). */
  readonly sumCosine: Float64Array;
  readonly sumModel: Float64Array;
}

/**
 * Measure one site's targets over some rounds, as a coordinator does that sees every site's release by itself (Zhu et al.
 * 2024, FedMIA, arXiv:2402.06289) and as one that sees only the sum. Nothing here looks at who is a member.
 */
export async function siteMeasures(
  simulation: FinishedSimulation,
  bench: Workbench,
  targets: Targets,
  rounds: readonly number[],
): Promise<SiteMeasures> {
  const numSites = simulation.sites.size;
  const numTargets = targets.users.length;
  const parts: RoundMeasures[] = [];
  for (const round of rounds) {
    const updates = siteUpdates(simulation, round);
    if (updates.length === numSites)
      parts.push(await roundMeasures(simulation, bench, { targets, round, updates }));
  }
  const joined = (part: (measures: RoundMeasures) => Float64Array[], size: number): Float64Array => {
    const all = new Float64Array(parts.length * size * numTargets);
    parts.flatMap(part).forEach((values, index) => {
      all.set(values, index * numTargets);
    });
    return all;
  };
  return {
    numRounds: parts.length,
    numSites,
    cosine: joined(({ cosine }) => cosine, numSites),
    ownModel: joined(({ ownModel }) => ownModel, numSites),
    sumCosine: joined(({ sumCosine }) => [sumCosine], 1),
    sumModel: joined(({ sumModel }) => [sumModel], 1),
  };
}

/** The same of one round; a vector of shape (numTargets,) for each site, or for the sum. */
interface RoundMeasures {
  readonly cosine: Float64Array[];
  readonly ownModel: Float64Array[];
  readonly sumCosine: Float64Array;
  readonly sumModel: Float64Array;
}

async function roundMeasures(
  simulation: FinishedSimulation,
  bench: Workbench,
  { targets, round, updates }: { targets: Targets; round: number; updates: readonly SiteUpdate[] },
): Promise<RoundMeasures> {
  const parameters = simulation.parameters(round);
  const own = await ownUpdates(simulation, bench, parameters, targets);
  const lossUnder = (update: Float64Array): Promise<Float64Array> =>
    userLosses(bench.spec, moved(parameters, update), targets.records);
  const ownModel: Float64Array[] = [];
  for (const { mean } of updates) ownModel.push(await lossUnder(mean));
  const sum = meanOf(updates, parameters.length);
  return {
    cosine: updates.map(({ mean }) => against(own, mean)),
    ownModel,
    sumCosine: against(own, sum),
    sumModel: await lossUnder(sum),
  };
}

/** The mean over rounds of what was measured, shape (numTargets,). */
export function meanOverRounds(measured: Float64Array, numTargets: number): Float64Array {
  const rounds = measured.length / numTargets;
  return Float64Array.from({ length: numTargets }, (_, target) => {
    let sum = 0;
    for (let row = 0; row < rounds; row++) sum += measured[row * numTargets + target] ?? 0;
    return sum / rounds;
  });
}

/** One site's rows of measures of shape (rounds, numSites, numTargets): shape (rounds, numTargets). */
export function ofSite(
  measured: Float64Array,
  { site, numSites }: { readonly site: number; readonly numSites: number },
  numTargets: number,
): Float64Array {
  const rounds = measured.length / (numSites * numTargets);
  const own = new Float64Array(rounds * numTargets);
  for (let row = 0; row < rounds; row++) {
    const at = (row * numSites + site) * numTargets;
    own.set(measured.subarray(at, at + numTargets), row * numTargets);
  }
  return own;
}

/** The attacker knows the plan, and trains on each target's records as her site would. */
async function ownUpdates(
  { scenario }: FinishedSimulation,
  bench: Workbench,
  parameters: Float32Array,
  { users, records: shard }: Targets,
): Promise<Float64Array[]> {
  const updates: Float64Array[] = [];
  for (const user of users.keys())
    updates.push(await updateUnder(scenario.federation.local, bench, { parameters, shard, user }));
  return updates;
}

function against(directions: readonly Float64Array[], update: Float64Array): Float64Array {
  return Float64Array.from(directions, (direction) => cosine(direction, update));
}

function meanOf(updates: readonly SiteUpdate[], numParams: number): Float64Array {
  const mean = new Float64Array(numParams);
  for (const update of updates)
    for (const [index, value] of update.mean.entries())
      mean[index] = (mean[index] ?? 0) + value / updates.length;
  return mean;
}
