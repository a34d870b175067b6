import { ParleyError } from '../../errors.ts';
import { millsRatio } from '../../stats/special.ts';
import { type Delta, Epsilon } from '../../units.ts';
import type { LedgerEntry } from './event.ts';
import { interpreted, type SampledGaussians } from './interpret.ts';
import type { Bounds } from './profile.ts';

/**
 * Epsilon (nats) of entries that are all without coins, by the analytic Gaussian mechanism; neighbouring: add or remove one
 * user. Exact, rounded up. Composed Gaussians are one Gaussian: z^-2 = sum of z_i^-2 (Dong, Roth, Su 2022,
 * arXiv:1905.02383, Corollary 2). No entry: 0. Anything non-private: Infinity. Throws EVENT_UNSUPPORTED.
 */
export function gaussianEpsilon(entries: readonly LedgerEntry[], delta: Delta): Epsilon {
  return Epsilon.parse(gaussianEpsilonBounds(separationOf(entries), delta).upper);
}

/** Delta in [0, 1] of the same entries at an epsilon, rounded up. Throws EVENT_UNSUPPORTED. */
export function gaussianDelta(entries: readonly LedgerEntry[], epsilon: Epsilon): number {
  return gaussianDeltaBounds(separationOf(entries), epsilon).upper;
}

/** Distance of the neighbours' means over the standard deviation, of all releases together, >= 0. */
export function separation(mechanisms: readonly SampledGaussians[]): number {
  const squares = mechanisms.reduce(
    (total, { noiseMultiplier, count }) => total + count / noiseMultiplier / noiseMultiplier,
    0,
  );
  return Math.sqrt(squares);
}

/**
 * delta(epsilon) = Phi(m/2 - epsilon/m) - e^epsilon Phi(-m/2 - epsilon/m) of means `m` >= 0 standard deviations apart (Balle
 * and Wang 2018, arXiv:1805.06530, Theorem 8), for epsilon >= 0, between bounds on the rounding error. The density at the
 * second argument is e^-epsilon times that at the first, so the difference is one of Mills' ratios: nothing underflows, and
 * nothing cancels unless m is small.
 */
export function gaussianDeltaBounds(m: number, epsilon: number): Bounds {
  if (m === 0) return { lower: 0, upper: 0 };
  if (m === Infinity) return { lower: 1, upper: 1 };
  if (epsilon === Infinity) return { lower: 0, upper: 0 };
  const near = m / 2 - epsilon / m;
  const far = -m / 2 - epsilon / m;
  const density = Math.exp((-near * near) / 2) / Math.sqrt(2 * Math.PI);
  const ofArguments = roundingError * (1 + (m + epsilon / m) * (1 + Math.abs(near)));
  if (near > 1) {
    const rest = density * (millsRatio(-near) + millsRatio(far));
    const error = rest * ofArguments + roundingError;
    return { lower: Math.max(0, 1 - rest - error), upper: Math.min(1, 1 - rest + error) };
  }
  const [first, second] = [millsRatio(near), millsRatio(far)];
  const value = density * (first - second);
  const error = value * ofArguments + density * roundingError * (first + second);
  // At epsilon = 0 delta is the largest: the total variation distance.
  const totalVariation = (m / Math.sqrt(2 * Math.PI)) * (1 + roundingError);
  return { lower: Math.max(0, value - error), upper: Math.min(1, value + error, totalVariation) };
}

/** The epsilon (nats) at which that curve comes down to `delta` in (0, 1), between bounds on the rounding error. */
export function gaussianEpsilonBounds(m: number, delta: number): Bounds {
  if (m === 0) return { lower: 0, upper: 0 };
  if (!Number.isFinite(m * m)) return { lower: 0, upper: Infinity };
  return {
    lower: crossing((epsilon) => gaussianDeltaBounds(m, epsilon).lower > delta, m).low,
    upper: crossing((epsilon) => gaussianDeltaBounds(m, epsilon).upper > delta, m).high,
  };
}

/** Of special functions and sums, relative. */
const roundingError = 1e-14;

function separationOf(entries: readonly LedgerEntry[]): number {
  const mechanisms = interpreted(entries);
  if (mechanisms === 'non-private') return Infinity;
  if (mechanisms.some(({ samplingRate }) => samplingRate < 1))
    throw new ParleyError(
      'EVENT_UNSUPPORTED',
      "the accountant 'gaussian' knows releases without sampling only, and here are some with a sampling rate below 1: " +
        "use the accountant 'pld'",
    );
  return separation(mechanisms);
}

/** Where `isBelow`, true of all epsilons up to somewhere, stops to be: neighbouring numbers, or 0 and 0. */
function crossing(isBelow: (epsilon: number) => boolean, m: number): { low: number; high: number } {
  if (!isBelow(0)) return { low: 0, high: 0 };
  let low = 0;
  let high = (m * m) / 2 + m;
  while (isBelow(high)) {
    low = high;
    high *= 2;
  }
  for (let halving = 0; halving < 200; halving++) {
    const middle = (low + high) / 2;
    if (middle <= low || middle >= high) break;
    if (isBelow(middle)) low = middle;
    else high = middle;
  }
  return { low, high };
}
