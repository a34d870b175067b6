import { integrated, lossAt, type Mechanism, outcomeAt } from './loss.ts';

/**
 * A pair of distributions on a grid of losses, for one release: P has mass exp(logMass[j]) at loss (first + j) * step, and
 * Q, the neighbour's, has exp(-loss) times that. Composing releases adds losses, so pairs compose by convolution.
 */
export interface LossGrid {
  /** Index of the first loss, an integer of any sign. */
  readonly first: number;
  readonly logMass: Float64Array;
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
  const above = deviationsFor(Math.min(0.1, lost / (4 * samplingRate)));
  return {
    from: -below,
    to: above + 1 / noiseMultiplier,
    lost: normalTail(below) + samplingRate * normalTail(above) + normalTail(above + 1 / noiseMultiplier),
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
  return { first, logMass };
}

/** A dominated pair, and by how much its losses may lie above the true ones. */
export interface DominatedPair extends LossGrid {
  /** Nats for each release, a rounding error. */
  readonly shift: number;
}

/**
 * A pair that is no easier to tell apart than the mechanism's: outcomes are merged into intervals, which is post-processing,
 * each grown from where the one before ended until its loss as a whole, ln P / Q, lies on the grid. Again the error is of
 * second order in the step. What does not make up a whole interval at the far end, and mass out of reach, is left out; where
 * that is much, since the step is wide, all outcomes are merged into one.
 */
export function dominatedPair(mechanism: Mechanism, step: number, reach: Reach): DominatedPair {
  const first = Math.floor(lossAt(mechanism, reach.from) / step);
  const last = Math.ceil(lossAt(mechanism, reach.to) / step);
  const logMass = new Float64Array(last - first + 1).fill(-Infinity);
  let from = reach.from;
  let shift = 0;
  let kept = 0;
  // An interval that begins right below its loss would be narrow, and the next one wide; the first is wide in any case. It is
  // empty where it begins on its loss, so only the later ones are sure to get on.
  for (let margin = 0; ; margin = 0.3) {
    const index = indexAfter(mechanism, from, { margin, step, last });
    const grown = intervalOf(mechanism, { from, limit: reach.to, loss: index * step, step });
    if (!grown || index > last || (margin > 0 && !(grown.to > from))) break;
    logMass[index - first] = grown.logMass;
    shift = Math.max(shift, grown.residual);
    kept += Math.exp(grown.logMass);
    from = grown.to;
  }
  return kept > leastKept ? { first, logMass, shift } : { first: 0, logMass: new Float64Array(1), shift: 0 };
}

const leastKept = 0.9;

/**
 * The loss on the grid for an interval that begins at `from`. Where the sampling rate is nearly 1, losses just above the least one
 * cannot be told from it in float64, and their outcomes would be -Infinity: such losses are passed over.
 */
function indexAfter(
  mechanism: Mechanism,
  from: number,
  { margin, step, last }: { readonly margin: number; readonly step: number; readonly last: number },
): number {
  const loss = lossAt(mechanism, from);
  let index = Math.ceil(loss / step + margin);
  while (index <= last && !(outcomeAt(mechanism, 2 * index * step - loss) >= from)) index++;
  return index;
}

interface Growth {
  readonly from: number;
  readonly limit: number;
  readonly loss: number;
  readonly step: number;
}

interface Interval {
  readonly to: number;
  readonly logMass: number;
  readonly residual: number;
}

/** The interval from `from` whose loss as a whole is `loss`, by Newton's method on its upper end; none within the limit. */
function intervalOf(mechanism: Mechanism, { from, limit, loss, step }: Growth): Interval | undefined {
  const least = Math.max(from, outcomeAt(mechanism, loss));
  let to = outcomeAt(mechanism, 2 * loss - lossAt(mechanism, from));
  for (let round = 0; ; round++) {
    if (!(to <= limit)) return undefined;
    const { logScale, without, excess } = integrated(mechanism, from, to, loss);
    const residual = Math.abs(Math.log1p(excess / without));
    if (residual < residualWanted * step || round === maxRounds)
      return { to, logMass: loss + logScale + Math.log(without + excess), residual };
    const slope = Math.exp(-(to * to) / 2 - Math.log(2 * Math.PI) / 2 - logScale);
    const next = to - excess / (slope * Math.expm1(lossAt(mechanism, to) - loss));
    // Never back to where the interval would be empty of losses above its own.
    to = next > least ? next : (least + to) / 2;
  }
}

/** Of a step; what is left of it is counted, release by release. */
const residualWanted = 1e-7;
const maxRounds = 30;

/** The same pair seen by an adversary who asks whether the user was added: P and Q change places, losses their sign. */
export function mirrored({ first, logMass }: LossGrid, step: number): LossGrid {
  const last = first + logMass.length - 1;
  const swapped = new Float64Array(logMass.length);
  for (const [j, value] of logMass.entries()) swapped[logMass.length - 1 - j] = value - (first + j) * step;
  return { first: -last, logMass: swapped };
}

function logSum(a: number, b: number): number {
  if (a === -Infinity) return b;
  if (b === -Infinity) return a;
  return Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
}
