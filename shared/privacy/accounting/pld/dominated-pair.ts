import { integrated, lossAt, type Mechanism, outcomeAt } from './loss.ts';
import { type LossGrid, logSum, type Reach } from './pairs.ts';

/** A dominated pair, and by how much its losses may lie above the true ones. */
export interface DominatedPair extends LossGrid {
  /** Nats for each release, a rounding error. */
  readonly slack: number;
}

/**
 * A pair that is no easier to tell apart than the mechanism's: outcomes are merged into intervals, which is post-processing.
 * The first holds all losses within half a step of the least one; its loss as a whole, ln P / Q, is where the grid begins, so
 * that it fits however little a user who hardly ever takes part can lose. The others are grown, each from where the one before
 * ended, until their loss as a whole lies on the grid. Again the error is of second order in the step. Mass out of reach is left
 * out.
 */
export function dominatedPair(mechanism: Mechanism, step: number, reach: Reach): DominatedPair {
  const end = Math.min(reach.to, outcomeAt(mechanism, lossAt(mechanism, reach.from) + step / 2));
  if (!(end > reach.from)) return nothingSeen;
  const { loss: offset, logMass: first } = merged(mechanism, reach.from, end);
  const last = Math.max(0, Math.ceil((lossAt(mechanism, reach.to) - offset) / step));
  const logMass = new Float64Array(last + 1).fill(-Infinity);
  logMass[0] = first;
  let from = end;
  let slack = 0;
  const grid = { mechanism, step, offset, logMass };
  for (;;) {
    const grown = nextInterval(grid, from, reach.to);
    if (!grown) break;
    slack = Math.max(slack, grown.residual);
    from = grown.to;
  }
  if (addRest(grid, from, reach.to)) return { first: 0, logMass, offset, slack };
  const all = merged(mechanism, reach.from, reach.to);
  return { first: 0, logMass: Float64Array.of(all.logMass), offset: all.loss, slack };
}

/** All outcomes merged into one, where the step is too narrow for the least losses to be told apart in float64. */
const nothingSeen: DominatedPair = { first: 0, logMass: new Float64Array(1), offset: 0, slack: 0 };

/** A pair that is being made. */
interface Unfinished {
  readonly mechanism: Mechanism;
  readonly step: number;
  readonly offset: number;
  /** Written to. */
  readonly logMass: Float64Array;
}

/** The outcomes from `from` to `to` as one: its loss ln P / Q, and its probability under P. */
function merged(
  mechanism: Mechanism,
  from: number,
  to: number,
): { readonly loss: number; readonly logMass: number } {
  const least = lossAt(mechanism, from);
  const { logScale, without, excess } = integrated(mechanism, from, to, least);
  return {
    loss: least + Math.log1p(excess / without),
    logMass: least + logScale + Math.log(without + excess),
  };
}

/** Adds the next interval to the masses; undefined where none within the limit has a loss on the grid. */
function nextInterval(grid: Unfinished, from: number, limit: number): Interval | undefined {
  const next = (lossAt(grid.mechanism, from) - grid.offset) / grid.step;
  // An interval that begins right below its loss would be narrow, and the next one wide.
  const [far, near] = [Math.ceil(next + 0.3), Math.ceil(next)];
  return addInterval(grid, { from, limit, index: far }) ?? addInterval(grid, { from, limit, index: near });
}

function addInterval(
  { mechanism, step, offset, logMass }: Unfinished,
  { from, limit, index }: { readonly from: number; readonly limit: number; readonly index: number },
): Interval | undefined {
  if (index >= logMass.length) return undefined;
  const grown = intervalOf(mechanism, { from, limit, loss: offset + index * step, step });
  if (!grown || !(grown.to > from)) return undefined;
  logMass[index] = grown.logMass;
  return grown;
}

/**
 * What makes up no whole interval at the far end joins a random share of an interval below, so large that their loss as a whole
 * lies on the grid: of the next one that has as much. False where none has; then nothing can be told apart with this step.
 */
function addRest({ mechanism, step, offset, logMass }: Unfinished, from: number, to: number): boolean {
  if (!(to > from)) return true;
  const index = Math.floor((merged(mechanism, from, to).loss - offset) / step);
  const loss = offset + index * step;
  const { logScale, without, excess } = integrated(mechanism, from, to, loss);
  const surplus = Math.max(0, excess);
  for (let below = index - 1; below >= 0; below--) {
    const mass = logMass[below] ?? -Infinity;
    const missing = -Math.expm1((below - index) * step);
    const share = (Math.exp(logScale + offset + below * step - mass) * surplus) / missing;
    if (!(share <= 1)) continue;
    const joined = logSum(loss + logScale + Math.log(without + excess), mass + Math.log(share));
    logMass[index] = logSum(logMass[index] ?? -Infinity, joined);
    logMass[below] = mass + Math.log1p(-share);
    return true;
  }
  return false;
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
  let low = Math.max(from, outcomeAt(mechanism, loss));
  let high = limit;
  let to = outcomeAt(mechanism, 2 * loss - lossAt(mechanism, from));
  for (let round = 0; ; round++) {
    if (!(to < high)) {
      if (high === limit && integrated(mechanism, from, limit, loss).excess < 0) return undefined;
      to = (low + high) / 2;
    }
    const { logScale, without, excess } = integrated(mechanism, from, to, loss);
    const residual = Math.abs(Math.log1p(excess / without));
    if (residual < residualWanted * step || round === maxRounds)
      return { to, logMass: loss + logScale + Math.log(without + excess), residual };
    if (excess < 0) low = to;
    else high = to;
    const slope = Math.exp(-(to * to) / 2 - Math.log(2 * Math.PI) / 2 - logScale);
    const next = to - excess / (slope * Math.expm1(lossAt(mechanism, to) - loss));
    to = next > low ? next : (low + high) / 2;
  }
}

/** Of a step; what is left of it is counted, release by release. */
const residualWanted = 1e-7;
const maxRounds = 30;
