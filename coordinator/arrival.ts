import { ParleyError } from '../shared/errors.ts';
import { layoutOf } from '../shared/model/layout.ts';
import { keptSizes, type ParameterMask } from '../shared/model/mask.ts';
import { checkRelease } from '../shared/privacy/noise-check.ts';
import { decodedUpdate } from '../shared/protocol/payloads.ts';
import { noiseFactor, type Plan, releaseShape, releaseTensors } from '../shared/protocol/plan.ts';
import { NoiseMultiplier } from '../shared/units.ts';

/** What is known of a release before it arrives. */
interface Arrival {
  /** Declared users and canaries of the site. */
  readonly users: number;
  /** The plan's mask. */
  readonly mask?: ParameterMask | undefined;
  readonly note?: ((detail: string) => void) | undefined;
}

/**
 * A site's release as it arrives: the plan's shape, at least the noise that the plan asks for, and no more than the site's
 * users and that noise can make up. Looks at nothing but the release and public numbers, so it costs no privacy.
 *
 * `note` hears instead of a refusal that the site's clipping or noise cannot have worked: for simulations of just that.
 *
 * @throws WRONG_SHAPE; NOISE_IMPLAUSIBLE when the site's clipping or noise cannot have worked.
 */
export function arrivedUpdate(plan: Plan, bytes: Uint8Array, { users, mask, note }: Arrival): Int32Array {
  const { protection, model, round } = plan;
  const tensors = keptSizes(layoutOf(model.spec), mask);
  const parts = releaseTensors(protection, tensors);
  const numParams = tensors.reduce((total, size) => total + size, 0);
  const { numCoordinates, clipNorm } = releaseShape(protection, numParams);
  const update = decodedUpdate(bytes, numCoordinates);
  if (protection.type === 'none') return update;
  const noiseMultiplier = NoiseMultiplier.parse(protection.noiseMultiplier * noiseFactor(protection, round));
  try {
    // The declared number is near the true one, not equal to it.
    checkRelease(update, { clipNorm, noiseMultiplier, tensors: parts, maxDrawnUsers: 2 * users });
  } catch (error) {
    if (!note || !(error instanceof ParleyError)) throw error;
    note(error.message);
  }
  return update;
}
