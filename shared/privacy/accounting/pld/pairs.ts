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

/** A dominated pair, and by how much its losses may lie above the true ones. */
export interface DominatedPair extends LossGrid {
  /** Nats for each release, a rounding error. */
  readonly slack: number;
}

/**
 * A pair that is no easier to tell apart than the mechanism's: outcomes are merged into intervals, which is post-processing.
 * The first holds all losses within half a step of the least one; its loss as a whole, ln P / Q, is where the grid begins, so
 * that it fits however little a user who hardly ever takes part can lose. The others are grown, each from where the one before
 * ended, until their loss as a whole lies on the grid. Again the error is of second order in the step. What does not make up a
 * whole interval at the far end, and mass out of reach, is left out.
 */
export function dominatedPair(mechanism: Mechanism, step: number, reach: Reach): DominatedPair {
  const opening = openingOf(mechanism, step, reach);
  if (!(opening.to > reach.from)) return nothingSeen;
  const { offset } = opening;
  const last = Math.ceil((lossAt(mechanism, reach.to) - offset) / step);
  const logMass = new Float64Array(Math.max(0, last) + 1).fill(-Infinity);
  logMass[0] = opening.logMass;
  let { to: from } = opening;
  let slack = 0;
  for (;;) {
    // An interval that begins right below its loss would be narrow, and the next one wide.
    const index = Math.ceil((lossAt(mechanism, from) - offset) / step + 0.3);
    const loss = offset + index * step;
    const grown = index <= last ? intervalOf(mechanism, { from, limit: reach.to, loss, step }) : undefined;
    if (!grown || !(grown.to > from)) return { first: 0, logMass, offset, slack };
    logMass[index] = grown.logMass;
    slack = Math.max(slack, grown.residual);
    from = grown.to;
  }
}

/** All outcomes merged into one, where the step is too narrow for the least losses to be told apart in float64. */
const nothingSeen: DominatedPair = { first: 0, logMass: new Float64Array(1), offset: 0, slack: 0 };

function openingOf(
  mechanism: Mechanism,
  step: number,
  { from, to: limit }: Reach,
): { readonly to: number; readonly offset: number; readonly logMass: number } {
  const least = lossAt(mechanism, from);
  const to = Math.min(limit, outcomeAt(mechanism, least + step / 2));
  const { logScale, without, excess } = integrated(mechanism, from, to, least);
  return {
    to,
    offset: least + Math.log1p(excess / without),
    logMass: least + logScale + Math.log(without + excess),
  };
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
export function mirrored({ first, logMass, offset }: LossGrid, step: number): LossGrid {
  const last = first + logMass.length - 1;
  const swapped = new Float64Array(logMass.length);
  for (const [j, value] of logMass.entries())
    swapped[logMass.length - 1 - j] = value - offset - (first + j) * step;
  return { first: -last, logMass: swapped, offset: -offset };
}

function logSum(a: number, b: number): number {
  if (a === -Infinity) return b;
  if (b === -Infinity) return a;
  return Math.max(a, b) + Math.log1p(Math.exp(-Math.abs(a - b)));
}
