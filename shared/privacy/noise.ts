import { standardNormals } from '../random/gaussian.ts';
import type { Rng } from '../random/rng.ts';
import type { ClipNorm, NoiseMultiplier, SamplingRate } from '../units.ts';
import { type MechanismEvent, sampledGaussian } from './accounting/event.ts';
import { gridStep, sensitivitySlack, toGrid } from './grid.ts';
import type { NoisedUpdate, SummedUpdate } from './update.ts';

/** What fixes the noise: clip norm C in parameter units, noise multiplier z without dimension. */
export interface NoiseOptions {
  readonly clipNorm: ClipNorm;
  readonly noiseMultiplier: NoiseMultiplier;
}

declare const drawnFor: unique symbol;

/**
 * Noise for one release, shape (numParams,), integers in grid units, and what it was drawn for. For one release only:
 * used twice, the difference of both releases would hold no noise at all.
 */
export type NoiseVector = Float64Array & { readonly [drawnFor]: true } & NoiseOptions;

/** What leaves the site, with the event that describes it. Neighbouring: one user added or removed. */
export interface Release {
  readonly update: NoisedUpdate;
  readonly event: MechanismEvent;
}

/** Standard deviation sigma = z * C, parameter units. The only place where a noise multiplier becomes one. */
export function noiseStdDev(noiseMultiplier: NoiseMultiplier, clipNorm: ClipNorm): number {
  return noiseMultiplier * clipNorm;
}

/**
 * Rounded Gaussian noise of standard deviation z * C * (1 + slack) / g in grid units. Draw it before the data are touched,
 * so that the time it takes tells nothing about them (Jin et al. 2022, arXiv:2112.05307).
 */
export function drawNoise(rng: Rng, numParams: number, options: NoiseOptions): NoiseVector {
  const { clipNorm, noiseMultiplier } = options;
  const stdDev = noiseStdDev(noiseMultiplier, clipNorm);
  const gridStdDev = (stdDev * (1 + sensitivitySlack(numParams))) / gridStep(clipNorm, numParams);
  const values = standardNormals(rng, numParams);
  values.forEach((value, index) => {
    values[index] = Math.round(value * gridStdDev);
  });
  return Object.assign(values, { clipNorm, noiseMultiplier }) as NoiseVector;
}

/**
 * Put the sum on the grid, add the noise in integers and saturate to int32; with the event that accounts for it. Since
 * x + round(n) = round(x + n) for integer x, this post-processes the continuous Gaussian mechanism.
 * Throws RangeError when the noise was drawn for another length, clip norm or noise multiplier.
 */
export function release(
  sum: SummedUpdate,
  noise: NoiseVector,
  options: NoiseOptions & { readonly samplingRate: SamplingRate },
): Release {
  const { clipNorm, noiseMultiplier, samplingRate } = options;
  const fits = noise.length === sum.length && noise.clipNorm === clipNorm;
  if (!fits || noise.noiseMultiplier !== noiseMultiplier)
    throw new RangeError(
      'the noise was drawn for another length, clip norm or noise multiplier than this release has',
    );
  const noised = toGrid(sum, gridStep(clipNorm, sum.length));
  noise.forEach((value, index) => {
    noised[index] = (noised[index] ?? 0) + value;
  });
  return { update: saturated(noised), event: sampledGaussian(noiseMultiplier, samplingRate) };
}

/** The sum on a grid of the given step, without any noise: no protection whatever. For simulations of what noise prevents. */
export function releaseWithoutNoise(sum: SummedUpdate, step: number): Release {
  return { update: saturated(toGrid(sum, step)), event: { type: 'non-private' } };
}

function saturated(values: Float64Array): NoisedUpdate {
  const limit = 2 ** 31;
  const update = new Int32Array(values.length);
  values.forEach((value, index) => {
    update[index] = Math.max(-limit, Math.min(limit - 1, value));
  });
  return update as NoisedUpdate;
}
