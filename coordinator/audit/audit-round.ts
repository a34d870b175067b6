import { z } from 'zod';
import { ParleyError } from '../../shared/errors.ts';
import type { AttackResult, AuditReport } from '../../shared/protocol/audit-report.ts';
import type { Rng } from '../../shared/random/rng.ts';
import { aucInterval, tprAtFpr } from '../../shared/stats/interval.ts';
import { rocCurve, thinned } from '../../shared/stats/roc.ts';
import { type AttackName, attackNames, attacks } from './attacks.ts';
import { OneRunOptions } from './canaries/canary-audit.ts';
import { minimumDetectableAuc, negativeControl } from './controls.ts';
import type { Evidence } from './evidence.ts';
import { type AuditPopulation, roleCounts, type ScoresByRole, scoresByRole } from './population.ts';
import { subpopulationAttack, worstGroup } from './subpopulation-attack.ts';

/** What is declared before a run, so that no round picks the attack or the threshold that happens to suit it. */
export const AuditOptions = z.strictObject({
  /** The attack whose figures count; the others are reported beside it. */
  attack: z.enum(attackNames).default('mean-log-ratio'),
  /** Members and held-out users that a subpopulation needs, each, to be tested. */
  minGroupSize: z.number().int().min(2).default(20),
  multipleTesting: z.enum(['holm', 'benjamini-hochberg']).default('holm'),
  /** False positive rates at which the true positive rate is reported. */
  fprs: z.array(z.number().gt(0).lte(1)).default([0.01, 0.001]),
  /** Confidence level of every interval; fixed, as the negative control is built for it. */
  level: z.literal(0.95).default(0.95),
  /** The canaries' lower bound on epsilon. */
  oneRun: OneRunOptions.prefault({}),
});
export type AuditOptions = z.infer<typeof AuditOptions>;

/**
 * One audit: attack the current model with every attack, test the subpopulations under the declared one, and check by the
 * negative control that the figures mean something. Pure but for the permutations drawn from `rng`; no figure is rounded.
 * Throws CONFIG_INVALID without members or without held-out users, and NON_FINITE when a score is not a number.
 */
export function auditRound(evidence: Evidence, options: AuditOptions, rng: Rng): AuditReport {
  const { population } = evidence;
  assertAuditable(population);
  const scores = attacks[options.attack](evidence);
  const { members, heldOut } = scoresByRole(population, scores);
  const resultOf = (name: AttackName): AttackResult =>
    evaluated(name, scoresByRole(population, attacks[name](evidence)), options);
  const groups = subpopulationAttack(population, scores, options);
  return {
    ...roleCounts(population),
    user: resultOf(options.attack),
    attacks: attackNames.filter((name) => name !== options.attack).map(resultOf),
    worstGroup: worstGroup(groups),
    groups,
    multipleTesting: options.multipleTesting,
    negativeControl: negativeControl(members, heldOut, rng.fork('negative control')),
    minimumDetectableAuc: minimumDetectableAuc(members.length, heldOut.length),
    roc: thinned(rocCurve(members, heldOut), drawnPoints),
  };
}

const drawnPoints = 100;

/** Roles enter here, after the attack has scored every user. */
function evaluated(attack: AttackName, scores: ScoresByRole, { fprs, level }: AuditOptions): AttackResult {
  const { members, heldOut } = scores;
  return {
    attack,
    ...aucInterval(members, heldOut, level),
    tprAtFpr: fprs.map((fpr) => tprAtFpr(members, heldOut, fpr, level)),
  };
}

function assertAuditable(population: AuditPopulation): void {
  const { members, heldOut } = roleCounts(population);
  if (members > 0 && heldOut > 0) return;
  throw new ParleyError(
    'CONFIG_INVALID',
    `the audit has ${members} member and ${heldOut} held-out users and needs some of both: raise the share of audit users ` +
      'at the sites, each of whom flips a fair coin between the two',
  );
}
