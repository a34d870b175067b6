import { sha256 } from '../shared/crypto/encoding.ts';
import { ParleyError } from '../shared/errors.ts';
import type { LocalTrainer } from '../shared/model/local-trainer.ts';
import { type MechanismEvent, sampledGaussian } from '../shared/privacy/accounting/event.ts';
import { drawNoise, type NoiseVector, release, releaseWithoutNoise } from '../shared/privacy/noise.ts';
import type { NoisedUpdate, SummedUpdate } from '../shared/privacy/update.ts';
import { encodedUpdate } from '../shared/protocol/payloads.ts';
import { type Plan, type Protection, planGridStep } from '../shared/protocol/plan.ts';
import { poissonSample } from '../shared/random/sample.ts';
import { ledgerEpsilon, type StoredRelease } from './ledger.ts';
import { checkPlan } from './policy.ts';
import type { Site } from './site.ts';

/**
 * The client's part of a round (DESIGN section 2, steps 2 to 5): check the plan against policy and ledger, draw the noise,
 * draw the users, train each on her own records, clip, sum, round to the grid, add the noise, and record the release. Returns
 * what is to be sent; asked again for the same plan it returns the same bytes.
 *
 * Neighbouring: one user, all of that user's records at this site, added or removed.
 *
 * @throws POLICY_REFUSED, BUDGET_EXCEEDED before anything is trained; EQUIVOCATION when the round was already released
 * under another plan; RELEASE_FORFEITED when its bytes are lost.
 */
export async function participate(
  plan: Plan,
  parameters: Float32Array,
  site: Site,
  trainer: LocalTrainer,
): Promise<StoredRelease> {
  const planSha256 = sha256(JSON.stringify(plan));
  const earlier = await site.ledger.release(plan.run, plan.round);
  if (earlier) return sameRelease(earlier, planSha256, plan);
  checkPlan(plan, site.policy);
  checkTick(plan, site);
  checkBudget(plan, site);
  const rng = site.rng.fork(`run ${plan.run} round ${plan.round}`);
  // Before the data are touched, so that the time it takes cannot depend on them.
  const noise = noiseFor(plan.protection, parameters.length, rng.fork('noise'));
  const drawn = poissonSample(rng.fork('draw'), site.trainable.length, plan.protection.samplingRate);
  const { sum } = await trainer.clippedSum({
    parameters,
    shard: site.shard,
    users: drawn.map((index) => site.trainable[index] ?? 0),
    plan: plan.local,
    round: plan.round,
    clipNorm: plan.protection.type === 'none' ? 'unbounded' : plan.protection.clipNorm,
    rng: rng.fork('training'),
  });
  const { update, event } = noised(sum, noise, plan.protection);
  return site.ledger.commit({
    run: plan.run,
    round: plan.round,
    planSha256,
    event,
    bytes: encodedUpdate(update),
  });
}

function sameRelease(earlier: StoredRelease, planSha256: string, plan: Plan): StoredRelease {
  if (earlier.planSha256 === planSha256) return earlier;
  throw new ParleyError(
    'EQUIVOCATION',
    `run ${plan.run}, round ${plan.round} was already answered under another plan; a round is released once`,
  );
}

/** Law 3: when a real site answers must not depend on how long its data took. */
function checkTick({ round, answerAfterMs }: Plan, { rng }: Site): void {
  if (rng.kind === 'secure' && answerAfterMs === 0)
    throw new ParleyError(
      'POLICY_REFUSED',
      `round ${round}: the plan has no tick to answer at (answerAfterMs is 0), so the time of the answer would tell of this site's data`,
    );
}

/** Law 7: the site refuses on its own, before training, what its budget does not cover. */
function checkBudget({ protection, round }: Plan, { ledger, policy }: Site): void {
  if (protection.type === 'none') return;
  const spent = ledgerEpsilon(ledger, policy.delta);
  const event = sampledGaussian(protection.noiseMultiplier, protection.samplingRate);
  const after = ledgerEpsilon(ledger, policy.delta, event);
  if (after <= policy.maxEpsilon) return;
  throw new ParleyError(
    'BUDGET_EXCEEDED',
    `round ${round} would bring this site to epsilon ${after.toFixed(3)} at delta ${policy.delta}; its policy allows ` +
      `${policy.maxEpsilon} and ${spent.toFixed(3)} is spent. Ask for more noise or fewer rounds, or let the site raise maxEpsilon`,
  );
}

function noiseFor(protection: Protection, numParams: number, rng: Site['rng']): NoiseVector | undefined {
  return protection.type === 'none' ? undefined : drawNoise(rng, numParams, protection);
}

function noised(
  sum: SummedUpdate,
  noise: NoiseVector | undefined,
  protection: Protection,
): { update: NoisedUpdate; event: MechanismEvent } {
  if (protection.type === 'none' || !noise)
    return releaseWithoutNoise(sum, planGridStep(protection, sum.length));
  return release(sum, noise, protection);
}
