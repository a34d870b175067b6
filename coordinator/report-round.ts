import { setImmediate } from 'node:timers/promises';
import { defenceClass, defencesIn } from '../shared/model/defence.ts';
import type { Signals } from '../shared/model/signals.ts';
import type { PruningReport } from '../shared/protocol/pruning-report.ts';
import { type RoundReport, reportVersion } from '../shared/protocol/report.ts';
import { RoundIndex, type SiteId } from '../shared/units.ts';
import type { Clipping } from './aggregate/clip-norm.ts';
import { auditRound } from './audit/audit-round.ts';
import { alarmsOf, auditCanaries } from './audit/canaries/canary-audit.ts';
import { judge } from './audit/leakage-policy.ts';
import { utilityOf } from './audit/utility.ts';
import { canaryEvidence } from './canaries.ts';
import { mirroredEpsilon, mostReleases } from './mirror.ts';
import { evidenceOf } from './observations.ts';
import { withinRollBacks } from './roll-back.ts';
import { type SavedScores, savedScores } from './scores.ts';
import { siloReport } from './silo-report.ts';
import type { RunContext, RunState } from './state.ts';

/** What a report says beside the attack. */
export interface RoundFacts {
  readonly run: RunContext;
  readonly clipping: Clipping | undefined;
  readonly pruning: PruningReport | undefined;
  /** What was wrong with releases and only noted. */
  readonly noted: readonly string[];
  readonly seconds: number;
}

/** A round's report, and the attack scores that its audit rests on, as they are stored. */
export interface Reported {
  readonly report: RoundReport;
  readonly scores: SavedScores;
}

/**
 * Attack the new model and say what it is worth and what it gives away: utility on held-out audit users, epsilon in both
 * views from the mirror of the sites' ledgers and as the canaries show it, the audit with its controls, and the verdict of the
 * leakage policy.
 */
export async function reportRound(
  after: RunState,
  signals: ReadonlyMap<SiteId, Signals>,
  { run, clipping, pruning, noted, seconds }: RoundFacts,
): Promise<Reported> {
  const round = RoundIndex.parse(after.round - 1);
  const evidence = evidenceOf(after.observations, signals, run.sites);
  const means = { rng: run.rng.fork(`audit/${round}`), pause: () => setImmediate() };
  const { report: audit, scores, population } = await auditRound(evidence, run.config.audit, means);
  const epsilon = {
    ...mirroredEpsilon(after.participations, run.protection, run.config.colludingSites),
    delta: run.protection.delta,
    limit: run.config.epsilonLimit,
  };
  const canaries = auditCanaries({ ...canaryEvidence(after, run), round }, run.config.audit.oneRun);
  const alarm = alarmsOf(canaries, epsilon);
  const { rollBacks } = after;
  const policy = withinRollBacks(judge(run.config.leakage, audit), rollBacks, run.config.maxRollBacks);
  const defences = defencesInUse(run.config);
  const { silo } = run.config.local;
  const sites = after.participations.at(-1);
  const report: RoundReport = {
    reportVersion,
    run: run.run,
    round,
    rounds: run.config.rounds,
    sites: sites ?? { asked: [], answered: [], declined: [], missing: [] },
    utility: utilityOf(evidence.population, evidence.current),
    epsilon,
    ...(clipping && { clipping }),
    ...(pruning && { pruning }),
    ...(defences.length > 0 && { defences }),
    ...(silo && { silo: siloReport(silo, mostReleases(after.participations)) }),
    audit,
    canaries,
    ...(alarm.length > 0 && { alarm }),
    policy,
    // Where the protection is broken there is nothing to go on with.
    ...(policy.action === 'roll-back' && alarm.length === 0 && { rolledBackTo: rollBacks.target }),
    ...(run.config.arrivalChecks === 'note' && { redTeam: { notedOnArrival: [...noted] } }),
    refused: run.desk.refused(),
    modelSha256: (after.handedOver ?? after.model).sha256,
    ...(after.handedOver && { iterateSha256: after.model.sha256 }),
    privacy: privacyOf(run),
    seconds,
  };
  return { report, scores: savedScores(population, scores, report) };
}

function defencesInUse({
  local,
  averaging,
  distillation,
  earlyStopping,
  pruning,
}: RunContext['config']): NonNullable<RoundReport['defences']> {
  const serverSide = {
    averaging,
    'server-distillation': distillation,
    'early-stopping': earlyStopping,
    pruning: pruning?.steps,
  };
  const { silo } = local;
  // A step of a whole site descends the losses of its users' defences too.
  const classOf = silo ? () => defenceClass(silo.type) : defenceClass;
  return [
    ...[...defencesIn(local.defence), ...(silo ? [silo] : [])].map(({ type }) => ({
      type,
      class: classOf(type),
    })),
    // Each user's own training: what a mask prunes is zero in her update before it is clipped.
    ...(pruning ? [{ type: 'sparsity-mask', class: classOf('none') }] : []),
    ...Object.entries(serverSide).flatMap(([type, options]) =>
      options ? [{ type, class: 'server-side' as const }] : [],
    ),
  ];
}

/** One seeded party is enough to make a whole run a simulation. */
export function privacyOf(run: Pick<RunContext, 'sites' | 'rng'>): RoundReport['privacy'] {
  const simulated =
    run.rng.kind === 'seeded' || [...run.sites.values()].some((site) => site.privacy !== 'private');
  return simulated ? 'simulation: not private' : 'private';
}
