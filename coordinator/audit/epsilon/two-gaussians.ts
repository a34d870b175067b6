import { gaussianEpsilonBounds } from '../../../shared/privacy/accounting/gaussian-accountant.ts';
import { normalCdf } from '../../../shared/stats/special.ts';

/** A normal law; the unit of both numbers is the same, and the standard deviation is > 0. */
export interface Gaussian {
  readonly mean: number;
  readonly stdDev: number;
}

/**
 * The least epsilon (nats, >= 0) at which two normal laws are (epsilon, delta)-indistinguishable in both directions, delta in
 * (0, 1): what a mechanism would cost whose output has law `a` with a user and `b` without (Andrew et al. 2023,
 * arXiv:2302.03098, section 3). With equal standard deviations it is that of the analytic Gaussian mechanism (Balle and Wang
 * 2018). Neither order nor a common shift or unit matters. Throws RangeError for arguments outside their ranges.
 */
export function twoGaussianEpsilon(a: Gaussian, b: Gaussian, delta: number): number {
  const usable = [a, b].every(({ mean, stdDev }) => Number.isFinite(mean) && stdDev > 0 && stdDev < Infinity);
  if (!usable)
    throw new RangeError('a normal law needs a finite mean and a finite standard deviation above 0');
  if (!(delta > 0 && delta < 1)) throw new RangeError(`delta must lie in (0, 1), not ${delta}`);
  return Math.max(oneDirection(a, b, delta), oneDirection(b, a, delta));
}

/** Epsilon at which P_a[S] <= e^epsilon P_b[S] + delta for every S, in units where `b` is standard normal. */
function oneDirection(a: Gaussian, b: Gaussian, delta: number): number {
  const law = { mean: (a.mean - b.mean) / b.stdDev, stdDev: a.stdDev / b.stdDev };
  if (law.stdDev === 1) return gaussianEpsilonBounds(Math.abs(law.mean), delta).upper;
  if (deltaBetween(law, 0) <= delta) return 0;
  let low = 0;
  let high = 1;
  for (; deltaBetween(law, high) > delta; high *= 2) low = high;
  while (high - low > 1e-14 * high) {
    const middle = (low + high) / 2;
    if (deltaBetween(law, middle) > delta) low = middle;
    else high = middle;
  }
  return high;
}

/** delta(epsilon) = P_law[S] - e^epsilon P[S] under the standard normal law, S where the log ratio is above epsilon. */
function deltaBetween(law: Gaussian, epsilon: number): number {
  const set = whereAbove(law, epsilon);
  const underStandard = probability(set, { mean: 0, stdDev: 1 });
  // e^epsilon alone may overflow.
  const scaled = underStandard === 0 ? 0 : Math.exp(epsilon + Math.log(underStandard));
  return probability(set, law) - scaled;
}

/** What lies between two numbers, or outside of them. */
interface NumberSet {
  readonly low: number;
  readonly high: number;
  readonly side: 'between' | 'outside';
}

/** Where a y^2 + b y + c > 0, the log density ratio of the law to the standard normal law minus epsilon; `law.stdDev` != 1. */
function whereAbove({ mean, stdDev }: Gaussian, epsilon: number): NumberSet {
  const precision = stdDev ** -2;
  const a = (1 - precision) / 2;
  const b = mean * precision;
  const c = (-mean * mean * precision) / 2 - Math.log(stdDev) - epsilon;
  const side = a > 0 ? 'outside' : 'between';
  const discriminant = b * b - 4 * a * c;
  if (discriminant <= 0) return { low: 0, high: 0, side };
  // The form that does not cancel when the standard deviations are nearly equal.
  const sum = -(b + (b < 0 ? -1 : 1) * Math.sqrt(discriminant)) / 2;
  const [first, second] = [sum / a, c / sum];
  return { low: Math.min(first, second), high: Math.max(first, second), side };
}

function probability({ low, high, side }: NumberSet, { mean, stdDev }: Gaussian): number {
  const [from, to] = [(low - mean) / stdDev, (high - mean) / stdDev];
  if (side === 'outside') return normalCdf(from) + normalCdf(-to);
  return from > 0 ? normalCdf(-from) - normalCdf(-to) : normalCdf(to) - normalCdf(from);
}
