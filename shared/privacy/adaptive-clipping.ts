import { ClipNorm, NoiseMultiplier, type SamplingRate } from '../units.ts';
import type { MechanismEvent } from './accounting/event.ts';
import type { SummedUpdate } from './update.ts';

/**
 * Adaptive clipping by quantile (Andrew et al. 2021, arXiv:1905.03871), with the count of updates within C inside the same
 * release. The sum of clipped updates gets one more coordinate, to which every drawn user adds +s when her update's norm
 * before clipping was at most C and -s when it was more: twice the paper's centred bit, in parameter units. One user's
 * updates and bit together then have norm at most sqrt(C^2 + s^2), the joint clip norm, and the ordinary release of that
 * clip norm and noise multiplier z hides both.
 *
 * s is chosen so that the count's noise has standard deviation sigma_b in users. With r = z / (2 sigma_b), the bit's share
 * of the joint norm, the update's noise multiplier is z_D = z / sqrt(1 - r^2), the bit's is 2 sigma_b = z / r, and
 * z^-2 = z_D^-2 + (2 sigma_b)^-2 (their Theorem 1): accounting charges z. Neighbouring: one user added or removed.
 */
export interface BitRelease {
  /** C of this round, parameter units. */
  readonly clipNorm: ClipNorm;
  /** z, which both parts together are charged. */
  readonly noiseMultiplier: NoiseMultiplier;
  /** sigma_b: standard deviation of one site's noise on its count of users within C, in users; more than z / 2. */
  readonly bitStdDev: number;
}

type Noise = Omit<BitRelease, 'clipNorm'>;

/** Whether the noise can be divided at all: a count with less noise than z / 2 would cost more than the whole release. */
export function isDivisible(noise: Noise): boolean {
  return bitShare(noise) < 1;
}

/** L2 bound on one user's update and bit together, C / sqrt(1 - r^2), parameter units. */
export function jointClipNorm(release: BitRelease): ClipNorm {
  return ClipNorm.parse(release.clipNorm / updateShare(release));
}

/** What accounting is told of such a release; the same for every C. */
export function bitReleaseEvent(noise: Noise, samplingRate: SamplingRate): MechanismEvent {
  return {
    type: 'adaptive-clipping',
    updateNoiseMultiplier: NoiseMultiplier.parse(noise.noiseMultiplier / updateShare(noise)),
    quantileNoiseMultiplier: NoiseMultiplier.parse(2 * noise.bitStdDev),
    samplingRate,
  };
}

/** The drawn users of one site, as local training leaves them; none of it leaves the site but through the release. */
export interface DrawnUsers {
  /** Sum of their clipped updates, shape (numParams,). */
  readonly sum: SummedUpdate;
  /** Indices in the shard, shape (numDrawn,). */
  readonly users: Int32Array;
  /** L2 norm of each one's update before clipping, shape (numDrawn,); 0 for one that was not finite. */
  readonly norms: Float64Array;
  /** Each user's share of the clip norm at this site, in (0, 1], shape (numUsers,) of the shard; 1 for all when left out. */
  readonly weights?: Float64Array | undefined;
  /** Users whose updates say nothing about people; they add nothing to the count. */
  readonly canaries?: ReadonlySet<number> | undefined;
}

/**
 * The sum with the count as its last coordinate, shape (numParams + 1,). An update that was not finite went into the sum as
 * zero and counts as within C: updates that explode may lower the clip norm, never drive it up.
 */
export function withBits(drawn: DrawnUsers, release: BitRelease): SummedUpdate {
  const joined = new Float64Array(drawn.sum.length + 1);
  joined.set(drawn.sum);
  joined[drawn.sum.length] = bitNorm(release) * surplusWithin(drawn, release.clipNorm);
  return joined as SummedUpdate;
}

/** Users within C less users beyond it, by weight. */
function surplusWithin({ users, norms, weights, canaries }: DrawnUsers, clipNorm: number): number {
  let surplus = 0;
  for (const [index, user] of users.entries()) {
    if (canaries?.has(user)) continue;
    const weight = weights?.[user] ?? 1;
    surplus += (norms[index] ?? 0) <= clipNorm ? weight : -weight;
  }
  return surplus;
}

/**
 * Fraction of the users within C, in [0, 1], from the last coordinate of the mean update (parameter units, noised). With
 * `numSites` releases in it and the public denominator M, its standard deviation is sigma_b * sqrt(numSites) / M.
 */
export function fractionWithin(meanCoordinate: number, release: BitRelease): number {
  return Math.min(1, Math.max(0, 0.5 + meanCoordinate / (2 * bitNorm(release))));
}

/** s = r C / sqrt(1 - r^2): what one user adds to, or takes from, the last coordinate; parameter units. */
function bitNorm(release: BitRelease): number {
  return bitShare(release) * jointClipNorm(release);
}

/** r = z / (2 sigma_b). */
function bitShare({ noiseMultiplier, bitStdDev }: Noise): number {
  return noiseMultiplier / (2 * bitStdDev);
}

/** sqrt(1 - r^2), without cancellation near r = 1. */
function updateShare(noise: Noise): number {
  const share = bitShare(noise);
  return Math.sqrt((1 - share) * (1 + share));
}
