import { z } from 'zod';
import { ParleyError } from '../../shared/errors.ts';
import type { AttackResult, AuditReport } from '../../shared/protocol/audit-report.ts';
import type { Rng } from '../../shared/random/rng.ts';
import { aucInterval, tprAtFpr } from '../../shared/stats/interval.ts';
import { rocCurve, thinned } from '../../shared/stats/roc.ts';
import { type AttackName, attackNames, attacks, isMeasurable } from './attacks.ts';
import { minimumDetectableAuc, negativeControl } from './controls.ts';
import type { Evidence } from './evidence.ts';
import { declaredGroups } from './groups.ts';
import { type AuditPopulation, roleCounts, type ScoresByRole, scoresByRole } from './population.ts';
import { subpopulationAttack, worstGroup } from './subpopulation-attack.ts';
import { evidenceOfUsers, mislabelledWithReference, ordinaryUsers } from './subset.ts';
import { vulnerableUsers } from './vulnerable.ts';

/** What is declared before a run, so that no round picks the attack or the threshold that happens to suit it. */
export const AuditOptions = z.strictObject({
  /** The attack whose figures count; the others are reported beside it. */
  attack: z.enum(attackNames).default('mean-log-ratio'),
  /** Members and held-out users that a subpopulation needs, each, to be tested. */
  minGroupSize: z.number().int().min(2).default(20),
  /** Whether combinations of two columns are tested as groups too. */
  pairs: z.boolean().default(true),
  multipleTesting: z.enum(['holm', 'benjamini-hochberg']).default('holm'),
  /** False positive rates at which the true positive rate is reported. */
  fprs: z.array(z.number().gt(0).lte(1)).default([0.01, 0.001]),
  /** Confidence level of every interval; fixed, as the negative control is built for it. */
  level: z.literal(0.95).default(0.95),
});
export type AuditOptions = z.infer<typeof AuditOptions>;

/**
 * One audit: attack the current model with every attack, test the subpopulations under the declared one, name the users it
 * finds first, and check by the negative control that the figures mean something. All but the figures of mislabelled canaries
 * are of ordinary users. Pure but for the permutations drawn from `rng`; no figure is rounded. Throws CONFIG_INVALID without
 * members or without held-out users, or where the declared attack lacks what it needs, and NON_FINITE when a score is not a number.
 */
export function auditRound(everyone: Evidence, options: AuditOptions, rng: Rng): AuditReport {
  const evidence = evidenceOfUsers(everyone, ordinaryUsers(everyone.population));
  const { population } = evidence;
  assertAuditable(population);
  assertMeasurable(options.attack, evidence);
  const scores = attacks[options.attack](evidence);
  const { members, heldOut } = scoresByRole(population, scores);
  const resultOf = (name: AttackName): AttackResult =>
    evaluated(name, scoresByRole(population, attacks[name](evidence)), options);
  const groups = subpopulationAttack(population, scores, options);
  const declared = declaredGroups(population, options.pairs);
  const mislabelled = mislabelledStratum(everyone, options);
  return {
    ...roleCounts(population),
    user: resultOf(options.attack),
    attacks: otherAttacks(options.attack, evidence).map(resultOf),
    worstGroup: worstGroup(groups),
    groups,
    pairsLeftOut: [...declared.pairsLeftOut],
    vulnerable: vulnerableUsers(population, scores, { ...declared, minGroupSize: options.minGroupSize }),
    ...(mislabelled && { mislabelled }),
    multipleTesting: options.multipleTesting,
    negativeControl: negativeControl(members, heldOut, rng.fork('negative control')),
    minimumDetectableAuc: minimumDetectableAuc(members.length, heldOut.length),
    roc: thinned(rocCurve(members, heldOut), drawnPoints),
  };
}

const drawnPoints = 100;

function otherAttacks(declared: AttackName, evidence: Evidence): AttackName[] {
  return attackNames.filter((name) => name !== declared && isMeasurable(name, evidence));
}

/** The declared attack on the canaries with wrong labels; undefined without such members or without such held-out ones. */
function mislabelledStratum(
  everyone: Evidence,
  options: AuditOptions,
): AuditReport['mislabelled'] | undefined {
  const evidence = evidenceOfUsers(everyone, mislabelledWithReference(everyone.population));
  const { members, heldOut } = roleCounts(evidence.population);
  if (members === 0 || heldOut === 0 || !isMeasurable(options.attack, evidence)) return undefined;
  const scores = scoresByRole(evidence.population, attacks[options.attack](evidence));
  const minimum = minimumDetectableAuc(members, heldOut);
  return { ...evaluated(options.attack, scores, options), members, heldOut, minimumDetectableAuc: minimum };
}

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

function assertMeasurable(attack: AttackName, evidence: Evidence): void {
  if (isMeasurable(attack, evidence)) return;
  throw new ParleyError(
    'CONFIG_INVALID',
    `the declared attack ${attack} needs places and more than ten non-members: let the sites set audit.places, or declare ` +
      'another attack',
  );
}
