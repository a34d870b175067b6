import { integrated, lossAt, type Mechanism, outcomeAt } from './loss.ts';

/**
 * A pair of distributions on a grid of losses, for one release: P has mass exp(logMass[j]) at loss offset + (first + j) * step,
 * and Q, the neighbour's, has exp(-loss) times that. Composing releases adds losses, so pairs compose by convolution.
 */
export interface LossGrid {
  /** Index of the first loss, an integer of any sign. */
  readonly first: number;
  readonly logMass: Float64Array;
  /** Where the grid's 0 lies, nats; 0 in a pair from above. */
  readonly offset: number;
}

/** What outcomes are looked at, in standard deviations; what lies outside is at most `lost` for either neighbour. */
export interface Reach {
  readonly from: number;
  readonly to: number;
  /** Probability outside, under P or Q, whichever is larger. */
  readonly lost: number;
}

/**
 * Outcomes such that what lies outside has probability at most about `lost` (in (0, 1)) for either neighbour; the exact
 * bound stands in the result.
 */
export function reachOf({ noiseMultiplier, samplingRate }: Mechanism, lost: number): Reach {
  const below = deviationsFor(lost / 4);
  const hit = deviationsFor(Math.min(0.1, lost / (4 * samplingRate)));
  // Whoever is hardly ever drawn has tails that those of the runs without her exceed.
  const to = Math.max(hit + 1 / noiseMultiplier, below);
  return {
    from: -below,
    to,
    lost: normalTail(below) + samplingRate * normalTail(to - 1 / noiseMultiplier) + normalTail(to),
  };
}

/** Mills' ratio: the normal tail beyond r > 0 is less than the density at r over r. */
function normalTail(r: number): number {
  return Math.exp((-r * r) / 2) / r / Math.sqrt(2 * Math.PI);
}

/** Standard deviations, at least 1, beyond which the normal tail is at most `probability`. */
function deviationsFor(probability: number): number {
  return Math.max(1, Math.sqrt(-2 * Math.log(probability)));
}

/**
 * A pair that is at least as easy to tell apart as the mechanism's: in each interval between two grid losses the outcomes
 * are replaced by the interval's two ends, with the masses of P and Q kept ("connect the dots", Doroshenko, Ghazi, Kamath,
 * Kumar, Manurangsi 2022, arXiv:2207.04380). The error is of second order in the step. Mass out of reach is left out, to be
 * counted as infinite loss.
 */
export function dominatingPair(mechanism: Mechanism, step: number, reach: Reach): LossGrid {
  const first = Math.floor(lossAt(mechanism, reach.from) / step);
  const last = Math.ceil(lossAt(mechanism, reach.to) / step);
  const logMass = new Float64Array(last - first + 1).fill(-Infinity);
  let fromAbove = -Infinity;
  for (let index = first; index < last; index++) {
    const from = Math.max(reach.from, outcomeAt(mechanism, index * step));
    const to = Math.min(reach.to, outcomeAt(mechanism, (index + 1) * step));
    if (to <= from) continue;
    const loss = index * step;
    const { logScale, without, excess } = integrated(mechanism, from, to, loss);
    const lower = Math.max(0, without - Math.max(0, excess) / Math.expm1(step));
    const upper = Math.max(0, excess) / -Math.expm1(-step);
    logMass[index - first] = logSum(fromAbove, loss + logScale + Math.log(lower));
    fromAbove = loss + logScale + Math.log(upper);
  }
  logMass[last - first] = fromAbove;
  return { first, logMass, offset: 0 };
}

/** The same pair seen by an adversary who asks whether the user was added: P and Q change places, losses their sign. */
export function mirrored({ first, logMass, offset }: LossGrid, step: number): LossGrid {
  const last = first + logMass.length - 1;
  const swapped = new Float64Array(logMass.length);
  for (const [j, value] of logMass.entries())
    swapped[logMass.length - 1 - j] = value - offset - (first + j) * step;
  return { first: -last, logMass: swapped, offset: -offset };
}

/** ln(e^a + e^b). */
export function logSum(a: number, b: number): number {
  if (a === -Infinity) return b;
  if (b === -Infinity) return a;
  return Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
}
