import type { ComposedLoss } from './compose.ts';

/** Which side of delta is asked for. */
export type Side = 'upper' | 'lower';

/** Probability that is not on the grid, and the relative error of what is. */
export interface Unseen {
  /** Probability of an infinite loss (upper side); 0 on the lower one. */
  readonly infinite: number;
  /** Relative error of all probabilities together. */
  readonly relative: number;
}

/** delta(epsilon) = sum over losses l > epsilon of P(l) (1 - exp(epsilon - l)), from one side, for one direction. */
export interface TailCurve {
  /** At any epsilon. Above the window the upper side is what Chernoff leaves there, the lower side 0. */
  readonly deltaAt: (epsilon: number) => number;
  /** The least epsilon (upper side: rounded up, lower side: down) where delta(epsilon) <= delta; Infinity when there is none. */
  readonly epsilonAt: (delta: number) => number;
}

/** The curve of a composed loss. Suffix sums make each evaluation cheap. */
export function tailCurve(loss: ComposedLoss, side: Side, unseen: Unseen): TailCurve {
  const { step, offset: zero, first, tilt, log } = loss;
  const sums = suffixSums(loss, side);
  const points = loss.mass.length;
  const sign = side === 'upper' ? 1 : -1;
  const factor = Math.exp(sign * (unseen.relative + points * roundingEach));
  const lossOf = (j: number): number => zero + (first + j) * step;
  // Whatever wrapped around counts with the largest weight that a loss can have.
  const wrapped = loss.outside * largestWeight(tilt);
  const cell = (epsilon: number): number => Math.max(0, Math.ceil((epsilon - zero) / step) - first);
  const within = (j: number, epsilon: number): number => {
    const scale = Math.exp(log - tilt * epsilon);
    const offset = lossOf(j) - epsilon;
    const seen =
      j >= points
        ? 0
        : Math.exp(-tilt * offset) * ((sums.excess[j] ?? 0) - Math.expm1(-offset) * (sums.neighbour[j] ?? 0));
    return factor * scale * (seen + sign * wrapped) + unseen.infinite;
  };
  const deltaAt = (epsilon: number): number => Math.min(1, Math.max(0, within(cell(epsilon), epsilon)));
  return { deltaAt, epsilonAt: (delta) => crossing({ deltaAt, lossOf, points, side }, delta) };
}

interface Curve {
  readonly deltaAt: (epsilon: number) => number;
  readonly lossOf: (j: number) => number;
  readonly points: number;
  readonly side: Side;
}

/**
 * Downwards from the top of the window to the first of some points where delta is more, then by halving. The curve is good
 * around the middle of the window, and far below it errors may outweigh it; so the first such point is the one that counts.
 */
function crossing({ deltaAt, lossOf, points, side }: Curve, delta: number): number {
  const top = Math.max(0, lossOf(points - 1));
  if (deltaAt(top) > delta) return side === 'upper' ? Infinity : top;
  const stride = (top - Math.max(0, lossOf(0))) / numProbes;
  let high = top;
  let low = top;
  while (deltaAt(low) <= delta) {
    if (low === 0) return 0;
    high = low;
    low = stride > 0 && low - stride >= lossOf(0) ? Math.max(0, low - stride) : 0;
  }
  for (let halving = 0; halving < 60 && high - low > 1e-13 * high; halving++) {
    const middle = (low + high) / 2;
    if (deltaAt(middle) <= delta) high = middle;
    else low = middle;
  }
  return side === 'upper' ? high : low;
}

const numProbes = 200;

/** Largest exp(-tilt u) (1 - exp(-u)) over u >= 0. */
function largestWeight(tilt: number): number {
  return tilt === 0 ? 1 : Math.exp(-tilt * Math.log1p(1 / tilt) - Math.log1p(tilt));
}

/** Of one step of a suffix sum, relative: nothing cancels in it. */
const roundingEach = 2 ** -50;

/**
 * At j, with u = l_i - l_j: sums over i >= j of mass[i] exp(-tilt u) (1 - exp(-u)), and of mass[i] exp(-(tilt + 1) u), each
 * mass moved by its error to the side that is asked for.
 */
function suffixSums(
  { mass, error, step, tilt }: ComposedLoss,
  side: Side,
): { excess: Float64Array; neighbour: Float64Array } {
  const moved = side === 'upper' ? error : -error;
  const sums = { excess: new Float64Array(mass.length), neighbour: new Float64Array(mass.length) };
  const decay = Math.exp(-tilt * step);
  const neighbourDecay = Math.exp(-(tilt + 1) * step);
  const weight = -Math.expm1(-step);
  let [ofExcess, ofNeighbour] = [0, 0];
  for (let j = mass.length - 1; j >= 0; j--) {
    ofExcess = decay * (ofExcess + weight * ofNeighbour);
    ofNeighbour = (mass[j] ?? 0) + moved + neighbourDecay * ofNeighbour;
    sums.excess[j] = ofExcess;
    sums.neighbour[j] = ofNeighbour;
  }
  return sums;
}
