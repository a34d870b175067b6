import { ParleyError } from '../../../shared/errors.ts';
import { normalCdf, normalQuantile, regularisedGamma } from '../../../shared/stats/special.ts';
import { assertBoundOptions, type BoundOptions } from './options.ts';
import { twoGaussianEpsilon } from './two-gaussians.ts';

export { twoGaussianEpsilon } from './two-gaussians.ts';

/**
 * Projections of what was released on each canary's own direction, standardised so that a canary that was not included is
 * standard normal. Dimensionless.
 */
export interface CanaryProjections {
  /** Canaries that were included, shape (numMembers,), numMembers >= 1. */
  readonly members: Float64Array;
  /** Canaries that were not, shape (numHeldOut,), numHeldOut >= 2. */
  readonly heldOut: Float64Array;
}

/** An estimate of epsilon, what it rests on, and whether it may be believed. */
export interface CanaryEstimate {
  /** Nats, >= 0. An estimate, above the truth about half of the time: never a bound. */
  readonly epsilon: number;
  /** Ends of the confidence interval of epsilon in nats, 0 <= low <= epsilon <= high. */
  readonly low: number;
  readonly high: number;
  /** Mean of the members' projections: how many standard deviations one user moves the release. May be negative by chance. */
  readonly mu: number;
  /** Of the held-out projections, 0 in expectation. */
  readonly nullMean: number;
  /** Of the held-out projections, about 1. */
  readonly nullStdDev: number;
  /** In [0, 1], small when the held-out projections are not standard normal: then the estimate means nothing. */
  readonly nullPValue: number;
}

/**
 * Epsilon of one release with Gaussian noise as a single canary user would measure it, from the mean of many canaries alone
 * (the one-shot estimate of Andrew et al. 2023, arXiv:2302.03098, with the standard deviation known to be 1, which makes mu
 * unbiased). Neighbouring: add or remove one user. mu, and the ends of its interval mu +- z / sqrt(numMembers), become
 * epsilons by the analytic Gaussian mechanism; a negative one becomes 0. The model behind it is normal noise and a canary that
 * moves the mean and nothing else; sampled or several releases need their own law. delta in (0, 1).
 *
 * The held-out projections are tested for mean 0 (normal) and, around their mean, for standard deviation 1 (chi-square), both
 * two-sided; the p-value is twice the smaller one (Bonferroni). Throws DATA_EMPTY when there are too few canaries,
 * NON_FINITE when a projection is not finite, and RangeError for impossible options.
 */
export function canaryEstimate(projections: CanaryProjections, options: BoundOptions): CanaryEstimate {
  assertBoundOptions(options);
  const { members, heldOut } = projections;
  assertUsable(members, 1, 'members');
  assertUsable(heldOut, 2, 'held out');
  const mu = mean(members);
  const reach = normalQuantile(0.5 + options.confidence / 2) / Math.sqrt(members.length);
  const epsilonOf = (separation: number): number =>
    twoGaussianEpsilon({ mean: Math.max(0, separation), stdDev: 1 }, { mean: 0, stdDev: 1 }, options.delta);
  return {
    epsilon: epsilonOf(mu),
    low: epsilonOf(mu - reach),
    high: epsilonOf(mu + reach),
    mu,
    ...nullCheck(heldOut),
  };
}

function nullCheck(heldOut: Float64Array): Pick<CanaryEstimate, 'nullMean' | 'nullStdDev' | 'nullPValue'> {
  const nullMean = mean(heldOut);
  const squares = heldOut.reduce((sum, value) => sum + (value - nullMean) ** 2, 0);
  const degrees = heldOut.length - 1;
  const ofMean = 2 * normalCdf(-Math.abs(nullMean) * Math.sqrt(heldOut.length));
  const { below, above } = regularisedGamma(degrees / 2, squares / 2);
  return {
    nullMean,
    nullStdDev: Math.sqrt(squares / degrees),
    nullPValue: Math.min(1, 2 * Math.min(ofMean, 2 * Math.min(below, above))),
  };
}

function mean(values: Float64Array): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

function assertUsable(values: Float64Array, least: number, role: string): void {
  if (values.length < least)
    throw new ParleyError(
      'DATA_EMPTY',
      `an estimate from canaries needs at least ${least} that are ${role} and got ${values.length}: declare more canaries`,
    );
  if (!values.every(Number.isFinite))
    throw new ParleyError(
      'NON_FINITE',
      `the projection of a canary (${role}) is not finite; check the release that it was computed from`,
    );
}
