import { assertNever, ParleyError } from '../errors.ts';
import { discreteGaussians, takesStdDev } from '../random/discrete-gaussian.ts';
import { standardNormals } from '../random/gaussian.ts';
import type { Rng } from '../random/rng.ts';
import type { ClipNorm, NoiseMultiplier } from '../units.ts';
import { gridStep, sensitivitySlack, toGrid } from './grid.ts';
import type { NoisedUpdate, SummedUpdate } from './update.ts';

/** The ways to draw noise. */
export const samplers = ['rounded-gaussian', 'discrete-gaussian'] as const;

/**
 * How noise is drawn. 'rounded-gaussian': a normal number in float64, rounded to the grid; fast. 'discrete-gaussian': the
 * discrete Gaussian of Canonne, Kamath and Steinke (2020) in integer arithmetic; exact, and some ten times slower.
 * docs/noise.md bounds what either adds to the Gaussian's (epsilon, delta).
 */
export type Sampler = (typeof samplers)[number];

/** What fixes the noise: clip norm C in parameter units, noise multiplier z without dimension. */
export interface NoiseOptions {
  readonly clipNorm: ClipNorm;
  readonly noiseMultiplier: NoiseMultiplier;
  /** 'rounded-gaussian' unless given. */
  readonly sampler?: Sampler;
}

declare const drawnFor: unique symbol;

/**
 * Noise for one release, shape (numParams,), integers in grid units, and what it was drawn for. For one release only:
 * used twice, the difference of both releases would hold no noise at all.
 */
export type NoiseVector = Float64Array & { readonly [drawnFor]: true } & Required<NoiseOptions>;

/** Standard deviation sigma = z * C, parameter units. The only place where a noise multiplier becomes one. */
export function noiseStdDev(noiseMultiplier: NoiseMultiplier, clipNorm: ClipNorm): number {
  return noiseMultiplier * clipNorm;
}

/** Standard deviation z * C * (1 + slack) / g of a release's noise in grid units. */
export function gridStdDev({ clipNorm, noiseMultiplier }: NoiseOptions, numParams: number): number {
  const stdDev = noiseStdDev(noiseMultiplier, clipNorm) * (1 + sensitivitySlack(numParams));
  return stdDev / gridStep(clipNorm, numParams);
}

/** Whether drawNoise can draw this noise: the discrete Gaussian has a range, 2^-20 to 2^40 grid units. */
export function samplerTakes(options: NoiseOptions, numParams: number): boolean {
  return options.sampler !== 'discrete-gaussian' || takesStdDev(gridStdDev(options, numParams));
}

/**
 * Gaussian noise on the grid, of standard deviation z * C * (1 + slack) / g in grid units. Draw it before the data are
 * touched, so that the time it takes tells nothing about them (Jin et al. 2022, arXiv:2112.05307).
 * Throws RangeError where the discrete Gaussian is asked for beyond its range (see samplerTakes).
 */
export function drawNoise(rng: Rng, numParams: number, options: NoiseOptions): NoiseVector {
  const { clipNorm, noiseMultiplier, sampler = 'rounded-gaussian' } = options;
  const values = drawn(rng, numParams, { sampler, stdDev: gridStdDev(options, numParams) });
  return Object.assign(values, { clipNorm, noiseMultiplier, sampler }) as NoiseVector;
}

function drawn(
  rng: Rng,
  count: number,
  { sampler, stdDev }: { readonly sampler: Sampler; readonly stdDev: number },
): Float64Array {
  switch (sampler) {
    case 'rounded-gaussian':
      return rounded(standardNormals(rng, count), stdDev);
    case 'discrete-gaussian':
      return discreteGaussians(rng, count, stdDev);
    default:
      return assertNever(sampler);
  }
}

/** The values times a standard deviation, rounded to integers in place, ties to even. */
function rounded(values: Float64Array, stdDev: number): Float64Array {
  for (let i = 0; i < values.length; i++)
    values[i] = (values[i] ?? 0) * stdDev + withoutFraction - withoutFraction;
  return values;
}

/**
 * Beside it a float64 has no bits below one, so adding it rounds, and is the only rounding; Math.round takes three times as
 * long. Beyond 2^51, where it rounds to more than one, a release saturates anyway.
 */
const withoutFraction = 1.5 * 2 ** 52;

/**
 * Put the sum on the grid, add the noise in integers and saturate to int32. Since x + round(n) = round(x + n) for integer x, rounded noise post-processes the continuous Gaussian mechanism; for discrete
 * noise see docs/noise.md.
 * Throws RangeError when the noise was drawn for another length, clip norm or noise multiplier.
 */
export function release(
  sum: SummedUpdate,
  noise: NoiseVector,
  { clipNorm, noiseMultiplier }: NoiseOptions,
): NoisedUpdate {
  const fits = noise.length === sum.length && noise.clipNorm === clipNorm;
  if (!fits || noise.noiseMultiplier !== noiseMultiplier)
    throw new RangeError(
      'the noise was drawn for another length, clip norm or noise multiplier than this release has',
    );
  const noised = toGrid(sum, gridStep(clipNorm, sum.length));
  for (let i = 0; i < noised.length; i++) noised[i] = (noised[i] ?? 0) + (noise[i] ?? 0);
  return saturated(noised);
}

/**
 * The sum on a grid of the given step, without any noise: no protection whatever. For simulations of what noise prevents.
 * Throws NON_FINITE when training diverged: with nothing promised, saying so costs nothing.
 */
export function releaseWithoutNoise(sum: SummedUpdate, step: number): NoisedUpdate {
  const bad = sum.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw new ParleyError(
      'NON_FINITE',
      `coordinate ${bad} of the trained update is not finite: training diverged; lower federation.local.learningRate`,
    );
  return saturated(toGrid(sum, step));
}

function saturated(values: Float64Array): NoisedUpdate {
  const limit = 2 ** 31;
  const update = new Int32Array(values.length);
  for (let i = 0; i < update.length; i++) update[i] = Math.max(-limit, Math.min(limit - 1, values[i] ?? 0));
  return update as NoisedUpdate;
}
