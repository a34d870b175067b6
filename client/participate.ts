import { sha256 } from '../shared/crypto/encoding.ts';
import { ParleyError } from '../shared/errors.ts';
import { layoutOf } from '../shared/model/layout.ts';
import type { LocalTrainer } from '../shared/model/local-trainer.ts';
import { keptOf, keptSizes } from '../shared/model/mask.ts';
import { type DrawnUsers, withBits } from '../shared/privacy/adaptive-clipping.ts';
import { type NoiseVector, release, releaseWithoutNoise } from '../shared/privacy/noise.ts';
import { assertNoiseDrawn } from '../shared/privacy/noise-check.ts';
import type { NoisedUpdate } from '../shared/privacy/update.ts';
import { encodedUpdate } from '../shared/protocol/payloads.ts';
import {
  adaptiveRelease,
  noiseFactor,
  type Plan,
  type Protection,
  releaseShape,
  releaseTensors,
} from '../shared/protocol/plan.ts';
import { assertWithinBudget } from './budget.ts';
import { withCanaries } from './direction-canaries.ts';
import type { StoredRelease } from './ledger.ts';
import { checkPlan } from './policy.ts';
import { clipNormOf, leavesNoiseOut } from './red-team.ts';
import { roundSource } from './round-noise.ts';
import { eligibleUsers, type Site } from './site.ts';

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
  trainer: Pick<LocalTrainer, 'clippedSum'>,
): Promise<StoredRelease> {
  const planSha256 = sha256(JSON.stringify(plan));
  const earlier = await site.ledger.release(plan.run, plan.round);
  if (earlier) return sameRelease(earlier, planSha256, plan);
  checkPlan(plan, site.policy);
  checkTick(plan, site);
  checkMask(plan, site);
  const { event, draw } = await roundSource(plan, site.mask?.kept ?? parameters.length, site);
  assertWithinBudget({ plan, event, ...site });
  site.ledger.reserve(plan.run, event);
  site.mark?.('within-budget');
  // Before the data are touched, so that the time it takes cannot depend on them.
  const { noise, users, drawnCanaries, noiseState } = draw();
  if (noise) assertNoiseDrawn(noise, tensorsOf(plan, site), noiseFactor(plan.protection, plan.round));
  site.mark?.('noise-drawn');
  const clipNorm = clipNormOf(plan.protection, site.redTeam);
  const local = await trainer.clippedSum({
    parameters,
    mask: site.mask,
    shard: site.shard,
    users,
    plan: plan.local,
    round: plan.round,
    clipNorm,
    weights: site.weights,
    rng: site.rng.fork(`run ${plan.run} round ${plan.round}`).fork('training'),
  });
  const ofPeople = { ...local, sum: keptOf(local.sum, site.mask) };
  const trained = withCanaries(ofPeople, { plan, drawn: drawnCanaries, of: site.directions, clipNorm });
  site.mark?.('trained');
  const { weights, canaries } = site;
  const added = leavesNoiseOut(site.redTeam) ? undefined : noise;
  const update = released({ ...trained, users, weights, canaries }, added, plan.protection);
  site.mark?.('committing');
  const stored = await site.ledger.commit({
    ...{ run: plan.run, round: plan.round, planSha256, event, bytes: encodedUpdate(update) },
    ...(noiseState && { noiseState }),
    users: eligibleUsers(site),
  });
  site.mark?.('committed');
  return stored;
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

/** Only what the plan keeps is trained, gets noise and leaves. */
function checkMask({ round, mask: planned }: Plan, { mask }: Site): void {
  if (planned?.kept !== mask?.kept)
    throw new ParleyError(
      'WRONG_SHAPE',
      `round ${round}: the plan keeps ${planned?.kept ?? 'all'} parameters and the mask ${mask?.kept ?? 'all'}; fetch the plan's mask again`,
    );
}

/** Sizes of the parts of a release, for the check of its noise. */
function tensorsOf({ model, protection }: Plan, { mask }: Site): readonly number[] {
  return releaseTensors(protection, keptSizes(layoutOf(model.spec), mask));
}

/** Steps 4 and 5: the sum, with the count of users within C where the plan asks for it, on the grid with the noise. */
function released(drawn: DrawnUsers, noise: NoiseVector | undefined, protection: Protection): NoisedUpdate {
  const { clipNorm, gridStep } = releaseShape(protection, drawn.sum.length);
  const adaptive = adaptiveRelease(protection);
  const sum = adaptive ? withBits(drawn, adaptive) : drawn.sum;
  if (protection.type === 'none' || !noise) return releaseWithoutNoise(sum, gridStep);
  const { noiseMultiplier } = protection;
  return release(sum, noise, { noiseMultiplier, clipNorm });
}
