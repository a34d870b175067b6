import { z } from 'zod';
import { assertNever, ParleyError } from '../shared/errors.ts';
import { defencesIn, defenceTypes } from '../shared/model/defence.ts';
import { siloTypes } from '../shared/model/silo/silo-defence.ts';
import { ModelSpec } from '../shared/model/spec.ts';
import { matrixSensitivity } from '../shared/privacy/banded-sensitivity.ts';
import {
  brokenPromise,
  type Plan,
  type Protection,
  participationRate,
  type ScoreTask,
} from '../shared/protocol/plan.ts';
import { Delta } from '../shared/units.ts';

/**
 * The site's own rules. They are written at the site, checked at the site before anything is trained, and no coordinator
 * can change them. A client without a policy does not start.
 */
export const SitePolicy = z.strictObject({
  /** Epsilon that all releases of this site together may cost, at `delta`; the ledger counts. */
  maxEpsilon: z.number().positive(),
  /** Epsilon that the releases of any so many days in a row may cost, at the same `delta`. */
  perPeriod: z
    .strictObject({ epsilon: z.number().positive(), days: z.number().positive().max(36_500) })
    .optional(),
  delta: Delta,
  minNoiseMultiplier: z.number().positive(),
  /**
   * The shortest tick, milliseconds, that a plan may have this site answer at: longer than its slowest round, or the time of an
   * answer tells of the data. Above 0 anyway at a real site.
   */
  minAnswerAfterMs: z.number().int().nonnegative().default(0),
  /** The fewest sites that a plan must ask an answer from. */
  minSites: z.number().int().positive().default(2),
  maxSamplingRate: z.number().gt(0).lte(1).default(1),
  /** `any`, or the model specifications that this site agreed to. */
  allowedModels: z.union([z.literal('any'), z.array(ModelSpec)]).default('any'),
  /** A combined defence needs all its parts in the list. No per-user one changes what is promised; silo-level ones need `allowUnprotected`. */
  allowedDefences: z.array(z.enum([...defenceTypes, ...siloTypes])).default(['none', 'relaxloss']),
  /** Plans that promise nothing, for simulations with data that needs no protection. */
  allowUnprotected: z.boolean().default(false),
  /**
   * `unsettled`: the bytes of a release are dropped when the coordinator has confirmed it and the run's next round is
   * released; its entry stays. `all`: they stay too.
   */
  keepReleases: z.enum(['all', 'unsettled']).default('unsettled'),
});
export type SitePolicy = z.infer<typeof SitePolicy>;

/**
 * Step 2 of a round: hold a plan against the site's policy. What the ledger says is checked beside it.
 *
 * @throws POLICY_REFUSED naming the rule, its value here, what the plan asks, and who can change it.
 */
export function checkPlan(plan: Plan, policy: SitePolicy): void {
  const refuse = refusal(`round ${plan.round}`, 'plan');
  checkTerms(plan, policy, refuse);
  checkModel(plan.model.spec, policy, refuse);
  for (const defence of defenceNames(plan))
    if (!policy.allowedDefences.includes(defence))
      refuse('allowedDefences', policy.allowedDefences.join(', ') || 'none at all', defence);
  const { protection } = plan;
  refuseBrokenPromise(plan);
  const rate = participationRate(protection);
  if (rate > policy.maxSamplingRate) refuse('maxSamplingRate', `${policy.maxSamplingRate}`, `${rate}`);
  switch (protection.type) {
    case 'user-dp':
    case 'user-dp-banded': {
      const noiseMultiplier = chargedNoiseMultiplier(protection);
      if (noiseMultiplier < policy.minNoiseMultiplier)
        refuse('minNoiseMultiplier', `${policy.minNoiseMultiplier}`, `${noiseMultiplier}`);
      return;
    }
    case 'none':
      if (!policy.allowUnprotected) refuse('allowUnprotected', 'false', 'no protection at all');
      return;
    default:
      assertNever(protection);
  }
}

type Refuse = (rule: string, expected: string, found: string) => never;

function refusal(what: string, order: string): Refuse {
  return (rule, expected, found) => {
    throw new ParleyError(
      'POLICY_REFUSED',
      `${what}: this site's policy has ${rule} ${expected}, the ${order} has ${found}; only the site can change its policy`,
    );
  };
}

/** Who else must answer, and when. */
function checkTerms(plan: Plan, { minSites, minAnswerAfterMs }: SitePolicy, refuse: Refuse): void {
  if (plan.minSites < minSites) refuse('minSites', `${minSites}`, `${plan.minSites}`);
  if (plan.answerAfterMs < minAnswerAfterMs)
    refuse('minAnswerAfterMs', `${minAnswerAfterMs}`, `answerAfterMs ${plan.answerAfterMs}`);
}

/**
 * Hold a model that is to be scored against the site's policy: the coordinator chooses it, and what its signals tell of an audit
 * user's features.
 *
 * @throws POLICY_REFUSED.
 */
export function checkScoredModel({ version, model }: ScoreTask, policy: SitePolicy): void {
  checkModel(model.spec, policy, refusal(`model ${version}`, 'order to score'));
}

function checkModel(spec: ModelSpec, policy: SitePolicy, refuse: Refuse): void {
  if (!isAllowed(spec, policy)) refuse('allowedModels', 'a list of models', 'a model that is not in it');
}

function refuseBrokenPromise({ round, local: { silo }, protection }: Plan): void {
  if (silo && protection.type !== 'none')
    throw new ParleyError('POLICY_REFUSED', `round ${round}: ${brokenPromise(silo, protection)}`);
}

function defenceNames({ local: { defence, silo } }: Plan): readonly SitePolicy['allowedDefences'][number][] {
  const parts = [...defencesIn(defence), ...(silo ? [silo] : [])];
  return parts.length === 0 ? ['none'] : parts.map(({ type }) => type);
}

/** The noise multiplier that a run's releases are charged with: what policies and budgets speak of. */
export function chargedNoiseMultiplier(protection: Exclude<Protection, { type: 'none' }>): number {
  const { noiseMultiplier } = protection;
  return protection.type === 'user-dp-banded'
    ? noiseMultiplier / matrixSensitivity(protection.matrix)
    : noiseMultiplier;
}

function isAllowed(spec: ModelSpec, { allowedModels }: SitePolicy): boolean {
  // Both sides went through the same schema, so equal specifications have equal texts.
  return (
    allowedModels === 'any' ||
    allowedModels.some((allowed) => JSON.stringify(allowed) === JSON.stringify(spec))
  );
}
