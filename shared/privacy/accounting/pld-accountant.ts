import type { Delta } from '../../units.ts';
import type { LedgerEntry } from './event.ts';
import { gaussianDeltaBounds, gaussianEpsilonBounds, separation } from './gaussian-accountant.ts';
import { interpreted, type SampledGaussians } from './interpret.ts';
import { epsilonBounds } from './pld/bounds.ts';
import { deltaBounds } from './pld/deltas.ts';
import { numReleases } from './pld/grids.ts';
import type { Bounds, PrivacyProfile } from './profile.ts';
import { composedRdp } from './rdp.ts';
import { deltaOfCurve, epsilonOfCurve } from './rdp-accountant.ts';

/**
 * Bounds on the epsilon (nats) of all entries together; neighbouring: add or remove one user. By privacy loss distributions
 * (see docs/accounting.md); by the closed form where nothing is sampled; by Renyi divergences where the distributions are too
 * wide for a grid, or those say less. No entry: 0. Anything non-private: Infinity. Throws EVENT_UNSUPPORTED.
 */
export function epsilonBetween(entries: readonly LedgerEntry[], delta: Delta): Bounds {
  const mechanisms = interpreted(entries);
  if (mechanisms === 'non-private') return { lower: Infinity, upper: Infinity };
  const { plain, sampled } = parted(mechanisms);
  const ofPlain = gaussianEpsilonBounds(plain, delta);
  if (sampled.length === 0) return ofPlain;
  const all = [...sampled, ...equalGaussians(plain)];
  const pld = isWithinReach(all) ? epsilonBounds(all, delta) : unknownEpsilon;
  const lower = Math.max(pld.lower, ofPlain.lower);
  const isClose = pld.upper < Infinity && pld.upper - lower <= closeEnough * pld.upper;
  if (isClose) return { lower, upper: pld.upper };
  return { lower, upper: Math.min(pld.upper, epsilonOfCurve(composedRdp(entries), delta)) };
}

/** The delta of the same, as a function of epsilon. Throws EVENT_UNSUPPORTED. */
export function profileOf(entries: readonly LedgerEntry[]): PrivacyProfile {
  const mechanisms = interpreted(entries);
  const curve = mechanisms === 'non-private' ? certain : curveOf(entries, mechanisms);
  return { delta: (epsilon) => atAnyEpsilon(curve, epsilon) };
}

/** Delta of one direction at an epsilon >= 0. */
type Curve = (direction: 'removing' | 'adding', epsilon: number) => Bounds;

const certain: Curve = () => ({ lower: 1, upper: 1 });

function curveOf(entries: readonly LedgerEntry[], mechanisms: readonly SampledGaussians[]): Curve {
  const { plain, sampled } = parted(mechanisms);
  if (sampled.length === 0) return (_, epsilon) => gaussianDeltaBounds(plain, epsilon);
  const all = [...sampled, ...equalGaussians(plain)];
  const rdp = composedRdp(entries);
  const pld = isWithinReach(all) ? deltaBounds(all) : () => unknownDelta;
  return (direction, epsilon) => {
    // Noise is Gaussian: no outcome is impossible without the user.
    if (epsilon === Infinity) return { lower: 0, upper: 0 };
    const bounds = pld(direction, epsilon);
    const lower = Math.max(bounds.lower, gaussianDeltaBounds(plain, epsilon).lower);
    if (bounds.upper - lower <= closeEnough * bounds.upper || bounds.upper < leastDelta)
      return { lower, upper: bounds.upper };
    return { lower, upper: Math.min(bounds.upper, deltaOfCurve(rdp, epsilon)) };
  };
}

function atAnyEpsilon(curve: Curve, epsilon: number): ReturnType<PrivacyProfile['delta']> {
  const removing = oneDirection(curve, 'removing', epsilon);
  const adding = oneDirection(curve, 'adding', epsilon);
  return {
    lower: Math.max(removing.lower, adding.lower),
    upper: Math.max(removing.upper, adding.upper),
    removing,
    adding,
  };
}

/**
 * At a negative epsilon by the other direction, to which the hypotheses change places: P(L > e) - e^epsilon Q(L > e), both
 * taken from 1.
 */
function oneDirection(curve: Curve, direction: 'removing' | 'adding', epsilon: number): Bounds {
  if (epsilon >= 0) return curve(direction, epsilon);
  const other = curve(direction === 'removing' ? 'adding' : 'removing', -epsilon);
  const weight = Math.exp(epsilon);
  const ofAny = -Math.expm1(epsilon);
  return {
    lower: Math.min(1, ofAny + weight * other.lower),
    upper: Math.min(1, ofAny + weight * other.upper),
  };
}

/** Relative gap above which Renyi divergences are asked too. */
const closeEnough = 3e-3;

/** A delta below does not matter. */
const leastDelta = 1e-290;

const unknownEpsilon: Bounds = { lower: 0, upper: Infinity };
const unknownDelta: Bounds = { lower: 0, upper: 1 };

function parted(mechanisms: readonly SampledGaussians[]): {
  readonly plain: number;
  readonly sampled: readonly SampledGaussians[];
} {
  return {
    plain: separation(mechanisms.filter(({ samplingRate }) => samplingRate === 1)),
    sampled: mechanisms.filter(({ samplingRate }) => samplingRate < 1),
  };
}

/** The same Gaussian as releases of separation 1 at most: on a grid, one release of a huge range would make all coarse. */
function equalGaussians(plain: number): readonly SampledGaussians[] {
  if (plain === 0) return [];
  const count = Math.ceil(plain * plain);
  return [{ noiseMultiplier: Math.sqrt(count) / plain, samplingRate: 1, count }];
}

/** Losses within what a grid can show, and few enough releases for rounding errors to stay small. */
function isWithinReach(mechanisms: readonly SampledGaussians[]): boolean {
  return (
    numReleases(mechanisms) <= mostReleases &&
    mechanisms.every(({ noiseMultiplier: z }) => z >= leastNoise && z <= mostNoise)
  );
}

const mostReleases = 2 ** 36;
const [leastNoise, mostNoise] = [2 ** -7, 2 ** 24];
