import { z } from 'zod';
import { ParleyError } from '../../shared/errors.ts';
import type { AttackResult, AuditReport } from '../../shared/protocol/audit-report.ts';
import type { Rng } from '../../shared/random/rng.ts';
import { aucIntervalOfTieGroups, tprOfRoc } from '../../shared/stats/interval.ts';
import { rocCurve, rocOfTieGroups, thinned } from '../../shared/stats/roc.ts';
import { tieGroups } from '../../shared/stats/tie-groups.ts';
import { isMeasured } from './attack.ts';
import { combined } from './attacks/combiner.ts';
import { type AttackName, type AttackScores, attackNames, attacks, scoresOf } from './attacks.ts';
import { OneRunOptions } from './canaries/canary-audit.ts';
import { minimumDetectableAuc, negativeControl, positiveControl } from './controls.ts';
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
  /** Which attacks run, the declared one always: all, or only those named where rounds must be short. */
  attacks: z.union([z.literal('all'), z.array(z.enum(attackNames))]).default('all'),
  /** Members and held-out users that a subpopulation needs, each, to be tested. */
  minGroupSize: z.number().int().min(2).default(20),
  /** Whether combinations of two columns are tested as groups too. */
  pairs: z.boolean().default(true),
  multipleTesting: z.enum(['holm', 'benjamini-hochberg']).default('holm'),
  /** False positive rates at which the true positive rate is reported. */
  fprs: z.array(z.number().gt(0).lte(1)).default([0.01, 0.001]),
  /** Model files (safetensors, as a run directory holds them) of public models that saw none of the audit users. */
  referenceModels: z.array(z.string()).default([]),
  /** Confidence level of every interval; fixed, as the negative control is built for it. */
  level: z.literal(0.95).default(0.95),
  /** The canaries' lower bound on epsilon. */
  oneRun: OneRunOptions.prefault({}),
});
export type AuditOptions = z.infer<typeof AuditOptions>;

/** What one audit found, and the scores that it rests on. */
export interface Audit {
  readonly report: AuditReport;
  readonly scores: AttackScores;
  /** The users whom the scores are of: all but canaries. */
  readonly population: AuditPopulation;
}

/** Randomness of an audit, and how it lets other work pass: `pause` is awaited at least every 50 ms for 10,000 users. */
export interface AuditMeans {
  readonly rng: Rng;
  readonly pause: () => Promise<void>;
}

/**
 * One audit: attack the current model with every attack, test the subpopulations under the declared one, name the users it
 * finds first, and check by both controls that the figures mean something. All but the figures of mislabelled canaries are of
 * ordinary users. Pure but for what is drawn from `rng`; no figure is rounded. Takes eight bytes for each user and attack, and
 * a few times the evidence's own size meanwhile.
 *
 * @throws CONFIG_INVALID without members or without held-out users, or when the declared attack cannot be measured; NON_FINITE
 * when a score is not a number.
 */
export async function auditRound(
  everyone: Evidence,
  options: AuditOptions,
  { rng, pause }: AuditMeans,
): Promise<Audit> {
  const evidence = ordinaryEvidence(everyone);
  const { population } = evidence;
  const scores = await scoresOf(evidence, asked(options), pause);
  const declared = declaredScores(scores, options);
  const { members, heldOut } = scoresByRole(population, declared);
  const results: AttackResult[] = [];
  for (const [name, own] of scores.measured) {
    results.push(evaluated(name, scoresByRole(population, own), options));
    await pause();
  }
  const [user, others] = apart(results, options.attack);
  const fixed = declaredGroups(population, options.pairs);
  const groups = subpopulationAttack(fixed.groups, declared, options);
  await pause();
  const vulnerable = vulnerableUsers(population, declared, { ...fixed, minGroupSize: options.minGroupSize });
  const mislabelled = mislabelledStratum(everyone, options);
  await pause();
  const combination = await combined(population, [...scores.measured.values()], {
    rng: rng.fork('combined'),
    pause,
  });
  const report = {
    ...roleCounts(population),
    user,
    attacks: others,
    ...('notMeasured' in combination
      ? { notMeasured: [...scores.notMeasured, { attack: 'combined', reason: combination.notMeasured }] }
      : {
          notMeasured: [...scores.notMeasured],
          combined: combinedResult(combination.evaluatedOn, options),
        }),
    worstGroup: worstGroup(groups),
    groups,
    pairsLeftOut: [...fixed.pairsLeftOut],
    vulnerable,
    ...(mislabelled && { mislabelled }),
    multipleTesting: options.multipleTesting,
    negativeControl: await negativeControl(members, heldOut, { rng: rng.fork('negative control'), pause }),
    ...positiveControl(members, heldOut),
    minimumDetectableAuc: minimumDetectableAuc(members.length, heldOut.length),
    roc: thinned(rocCurve(members, heldOut), drawnPoints),
  };
  return { report, scores, population };
}

const drawnPoints = 100;

/**
 * Try whether an audit of such evidence has its people and its declared attack, without any figure.
 *
 * @throws CONFIG_INVALID as {@link auditRound}.
 */
export function assertMeasurable(everyone: Evidence, options: AuditOptions): void {
  declaredScores(declaredAlone(ordinaryEvidence(everyone), options), options);
}

function ordinaryEvidence(everyone: Evidence): Evidence {
  const evidence = evidenceOfUsers(everyone, ordinaryUsers(everyone.population));
  assertAuditable(evidence.population);
  return evidence;
}

function asked({ attack, attacks: named }: AuditOptions): 'all' | readonly AttackName[] {
  return named === 'all' ? named : [attack, ...named];
}

/** The declared attack on the canaries with wrong labels; undefined without such members or without such held-out ones. */
function mislabelledStratum(
  everyone: Evidence,
  options: AuditOptions,
): AuditReport['mislabelled'] | undefined {
  const evidence = mislabelledEvidence(everyone);
  if (evidence === undefined) return undefined;
  const { members, heldOut } = roleCounts(evidence.population);
  const all = attacks[options.attack](evidence);
  if (!isMeasured(all)) return undefined;
  const scores = scoresByRole(evidence.population, all);
  const minimum = minimumDetectableAuc(members, heldOut);
  return { ...evaluated(options.attack, scores, options), members, heldOut, minimumDetectableAuc: minimum };
}

/** The canaries with wrong labels and who calibrates attacks on them; undefined without members or without held-out ones. */
function mislabelledEvidence(everyone: Evidence): Evidence | undefined {
  if (!everyone.population.mislabelled) return undefined;
  const evidence = evidenceOfUsers(everyone, mislabelledWithReference(everyone.population));
  const { members, heldOut } = roleCounts(evidence.population);
  return members === 0 || heldOut === 0 ? undefined : evidence;
}

/**
 * Every attack on the mislabelled canaries alone, calibrated on the reference users: the figures of those who are easiest to
 * find (Aerni, Zhang and Tramer 2024). Empty without member and held-out canaries. Attacks that cannot be measured are left out.
 */
export async function mislabelledAttacks(
  everyone: Evidence,
  options: AuditOptions,
  pause: () => Promise<void>,
): Promise<AttackResult[]> {
  const evidence = mislabelledEvidence(everyone);
  if (evidence === undefined) return [];
  const { measured } = await scoresOf(evidence, asked(options), pause);
  return Array.from(measured, ([attack, scores]) =>
    evaluated(attack, scoresByRole(evidence.population, scores), options),
  );
}

/** The declared attack alone. Throws as {@link auditRound}. */
export function declaredAttack(evidence: Evidence, options: AuditOptions): AttackResult {
  assertAuditable(evidence.population);
  const scores = declaredScores(declaredAlone(evidence, options), options);
  return evaluated(options.attack, scoresByRole(evidence.population, scores), options);
}

function declaredAlone(evidence: Evidence, { attack }: AuditOptions): AttackScores {
  const scores = attacks[attack](evidence);
  return isMeasured(scores)
    ? { measured: new Map([[attack, scores]]), notMeasured: [] }
    : { measured: new Map(), notMeasured: [{ attack, reason: scores.notMeasured }] };
}

/** Roles enter here, after the attack has scored every user. */
function evaluated(attack: string, scores: ScoresByRole, { fprs, level }: AuditOptions): AttackResult {
  // Sorted once: with every attack, sorting is most of what an audit costs.
  const groups = tieGroups(scores.members, scores.heldOut);
  const roc = rocOfTieGroups(groups);
  return {
    attack,
    ...aucIntervalOfTieGroups(groups, level),
    tprAtFpr: fprs.map((fpr) => tprOfRoc(roc, fpr, level)),
  };
}

/** Its figures are of half of the users, so it says of which; they are never mixed with those of all. */
function combinedResult(evaluatedOn: ScoresByRole, options: AuditOptions): AuditReport['combined'] {
  const { members, heldOut } = evaluatedOn;
  const result = evaluated('combined', evaluatedOn, options);
  return { ...result, evaluatedOn: { members: members.length, heldOut: heldOut.length } };
}

function declaredScores({ measured, notMeasured }: AttackScores, { attack }: AuditOptions): Float64Array {
  const scores = measured.get(attack);
  if (scores) return scores;
  const reason = notMeasured.find((other) => other.attack === attack)?.reason ?? 'it was not run';
  throw new ParleyError(
    'CONFIG_INVALID',
    `the declared attack ${attack} cannot be measured: ${reason}. Begin the run with another one as audit.attack, or with what it needs`,
  );
}

function apart(results: readonly AttackResult[], declared: string): [AttackResult, AttackResult[]] {
  const user = results.find(({ attack }) => attack === declared);
  if (user === undefined) throw new TypeError(`the declared attack ${declared} has no result`);
  return [user, results.filter((result) => result !== user)];
}

function assertAuditable(population: AuditPopulation): void {
  const { members, heldOut } = roleCounts(population);
  if (members > 0 && heldOut > 0) return;
  throw new ParleyError(
    'CONFIG_INVALID',
    `the audit has ${members} member and ${heldOut} held-out users and needs some of both: raise audit.fraction at a site ` +
      'and begin a new run in another directory; each audit user flips a fair coin between the two, once a run',
  );
}
