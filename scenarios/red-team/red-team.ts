import { z } from 'zod';
import { fedMiaScore } from '../../coordinator/index.ts';
import { localTrainer } from '../../shared/model/trainer.ts';
import { AttackResult } from '../../shared/protocol/audit-report.ts';
import { type Rng, seededRng } from '../../shared/random/rng.ts';
import { aucInterval, tprAtFpr } from '../../shared/stats/interval.ts';
import { Seed } from '../../shared/units.ts';
import { activeScores } from './active-coordinator.ts';
import { sampled, type Targets, targetsOf } from './audit-users.ts';
import { meanOverRounds, ofSite, type SiteMeasures, siteMeasures } from './curious-coordinator.ts';
import type { FinishedSimulation } from './finished-simulation.ts';
import type { Workbench } from './measures.ts';

/** One attack of one red-team role on the users of all sites. */
export const RedTeamResult = AttackResult.extend({
  role: z.enum(['coordinator, every update', 'coordinator, sums only', 'active coordinator', 'a site']),
  members: z.number().int().nonnegative(),
  heldOut: z.number().int().nonnegative(),
});
export type RedTeamResult = z.infer<typeof RedTeamResult>;

/** How much of a simulation the roles look at. */
export interface RedTeamOptions {
  /** The passive coordinator measures so many rounds, spread evenly over the run. */
  readonly rounds: number;
  /** Targets at each site, at most; the active coordinator spends a local round on each. */
  readonly targetsPerSite: number;
  readonly activeTargetsPerSite: number;
  readonly fprs: readonly number[];
  readonly seed: number;
}

/** Defaults that take seconds to a few minutes for the catalogue's scenarios. */
export const redTeamDefaults: RedTeamOptions = {
  rounds: 20,
  targetsPerSite: 200,
  activeTargetsPerSite: 25,
  fprs: [0.01, 0.001],
  seed: 1,
};

/** FedMIA compares a site with at least two others; in a run of fewer sites it is left out. */
export const fedMiaSites = 3;

/**
 * Attack a finished simulation as parties that see more than the audits' attacker: a coordinator that reads every site's
 * release by itself (and, beside it, one that sees only sums, as under secure aggregation), and a coordinator that sends
 * models made to expose a target. For a simulation without noise these are what its users would have been exposed to; with
 * noise they measure what is left. Roles are used to draw as many members as held-out users, and to evaluate.
 *
 * @throws what opening releases throws; CONFIG_INVALID for noise that is correlated over rounds.
 */
export async function redTeam(
  simulation: FinishedSimulation,
  options: RedTeamOptions,
): Promise<RedTeamResult[]> {
  const spec = simulation.scenario.federation.model;
  const rng = seededRng(Seed.parse(options.seed)).fork('red team');
  const trainer = await localTrainer(spec, simulation.scenario.sites.trainer);
  const bench = { spec, trainer, rng };
  const passive = await passiveScores(simulation, bench, options);
  const active = await activeOfAll(simulation, bench, options);
  return [...passive, ...active].map((scored) => evaluated(scored, options.fprs));
}

interface Scored {
  readonly role: RedTeamResult['role'];
  readonly attack: string;
  readonly members: number[];
  readonly heldOut: number[];
}

async function passiveScores(
  simulation: FinishedSimulation,
  bench: Workbench,
  options: RedTeamOptions,
): Promise<Scored[]> {
  const rounds = evenly(simulation.rounds, options.rounds);
  const attacks = passiveAttacks.filter(({ sites = 1 }) => simulation.sites.size >= sites);
  const scored = attacks.map(({ role, attack }): Scored => ({ role, attack, members: [], heldOut: [] }));
  for (const [site, targets] of chosenTargets(simulation, options.targetsPerSite, bench.rng).entries()) {
    const measures = await siteMeasures(simulation, bench, targets, rounds);
    for (const [index, { scoresOf }] of attacks.entries())
      collect(scored[index], scoresOf(measures, site, targets.users.length), targets);
  }
  return scored;
}

async function activeOfAll(
  simulation: FinishedSimulation,
  bench: Workbench,
  options: RedTeamOptions,
): Promise<Scored[]> {
  const version = Math.floor(simulation.rounds / 2);
  const scored = activeAttacks.map(({ attack }): Scored => {
    return { role: 'active coordinator', attack, members: [], heldOut: [] };
  });
  for (const targets of chosenTargets(simulation, options.activeTargetsPerSite, bench.rng)) {
    const own = { ...bench, rng: bench.rng.fork(`active ${targets.site}`) };
    for (const [index, { strength }] of activeAttacks.entries())
      collect(scored[index], await activeScores(simulation, own, targets, { version, strength }), targets);
  }
  return scored;
}

/** The second is the control of the first: the same statistic without the step uphill. */
const activeAttacks = [
  { attack: 'gradient-ascent', strength: 5 },
  { attack: 'no ascent', strength: 0 },
];

interface PassiveAttack {
  readonly role: RedTeamResult['role'];
  readonly attack: string;
  /** How many sites it takes; one when left out. */
  readonly sites?: number;
  readonly scoresOf: (measures: SiteMeasures, site: number, numTargets: number) => Float64Array;
}

const every = 'coordinator, every update';
const sums = 'coordinator, sums only';

const passiveAttacks: readonly PassiveAttack[] = [
  {
    ...{ role: every, attack: 'fed-mia-cosine', sites: fedMiaSites },
    scoresOf: ({ cosine, numRounds, numSites }, site) =>
      fedMiaScore({ values: cosine, numRounds, numSites, mode: 'cosine' }, site),
  },
  {
    ...{ role: every, attack: 'fed-mia-loss', sites: fedMiaSites },
    scoresOf: ({ ownModel, numRounds, numSites }, site) =>
      fedMiaScore({ values: ownModel, numRounds, numSites, mode: 'loss' }, site),
  },
  {
    ...{ role: every, attack: 'mean-cosine' },
    scoresOf: ({ cosine, numSites }, site, count) =>
      meanOverRounds(ofSite(cosine, { site, numSites }, count), count),
  },
  {
    ...{ role: every, attack: 'loss-series' },
    scoresOf: ({ ownModel, numSites }, site, count) =>
      meanOverRounds(ofSite(ownModel, { site, numSites }, count), count).map((loss) => -loss),
  },
  {
    ...{ role: sums, attack: 'mean-cosine' },
    scoresOf: ({ sumCosine }, _, count) => meanOverRounds(sumCosine, count),
  },
  {
    ...{ role: sums, attack: 'loss-series' },
    scoresOf: ({ sumModel }, _, count) => meanOverRounds(sumModel, count).map((loss) => -loss),
  },
];

function chosenTargets(simulation: FinishedSimulation, most: number, rng: Rng): Targets[] {
  return targetsOf(simulation).map((targets) => sampled(targets, most, rng.fork(`targets ${targets.site}`)));
}

function collect(into: Scored | undefined, scores: Float64Array, { isMember }: Targets): void {
  scores.forEach((score, index) => {
    (isMember[index] === 1 ? into?.members : into?.heldOut)?.push(score);
  });
}

function evaluated({ role, attack, ...scores }: Scored, fprs: readonly number[]): RedTeamResult {
  const members = Float64Array.from(scores.members);
  const heldOut = Float64Array.from(scores.heldOut);
  return {
    ...{ role, attack, members: members.length, heldOut: heldOut.length },
    ...aucInterval(members, heldOut),
    tprAtFpr: fprs.map((fpr) => tprAtFpr(members, heldOut, fpr)),
  };
}

/** At most `most` of the rounds 0 .. rounds - 1, evenly spaced, the last one among them. */
function evenly(rounds: number, most: number): number[] {
  const step = Math.max(1, rounds / most);
  const picked = new Set<number>();
  for (let round = rounds - 1; round >= 0; round -= step) picked.add(Math.round(round));
  return [...picked].sort((a, b) => a - b);
}
