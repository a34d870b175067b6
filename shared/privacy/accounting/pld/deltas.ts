import type { Bounds } from '../profile.ts';
import { cumulantsAt, tiltForLoss } from './cumulants.ts';
import type { Direction, Grid, Mechanisms } from './grids.ts';
import {
  coarseGrid,
  curveOf,
  finerStep,
  firstStep,
  gridAbove,
  gridBelow,
  type Scale,
  stepFor,
  type Task,
} from './scale.ts';

/** Gap between the bounds on delta that is small enough, relative to the upper one, or absolute. */
const gapWanted = 2e-3;
const smallGap = 1e-18;

/** Share of delta that may be out of reach. */
const lostShare = 1e-6;

/** The least normal delta; below, only that it is not more. */
const leastDelta = 1e-300;
const maxLevels = 5;

/** Half the width of the interval of epsilons for which a curve is meant, in tilted standard deviations. */
const useful = 2;

/** And of the one in which no other would be better. */
const best = 0.125;

/** Both bounds on delta(epsilon) of one direction, made for epsilons around `made`. */
interface Curve {
  readonly made: number;
  /** Nats; see {@link best}. */
  readonly width: number;
  readonly deltaAt: (epsilon: number) => Bounds;
}

/**
 * Bounds on the delta of a composition at epsilons >= 0, in nats, finite. What is composed for one epsilon is used for
 * others near it, as long as the result lives: all bounds hold at all epsilons, so of several the best counts.
 */
export function deltaBounds(mechanisms: Mechanisms): (direction: Direction, epsilon: number) => Bounds {
  const curves: Record<Direction, Curve[]> = { removing: [], adding: [] };
  return (direction, epsilon) => {
    const known = curves[direction];
    const bounds = bestOf(known, epsilon);
    if (isClose(bounds) || known.some(({ made, width }) => Math.abs(epsilon - made) <= width)) return bounds;
    known.push(curveFor({ direction, mechanisms, epsilon }));
    return bestOf(known, epsilon);
  };
}

function bestOf(curves: readonly Curve[], epsilon: number): Bounds {
  const bounds = curves.map((curve) => curve.deltaAt(epsilon));
  return {
    lower: Math.max(0, ...bounds.map(({ lower }) => lower)),
    upper: Math.min(1, ...bounds.map(({ upper }) => upper)),
  };
}

function isClose({ lower, upper }: Bounds): boolean {
  return upper - lower <= Math.max(2 * gapWanted * upper, smallGap);
}

interface Asked {
  readonly direction: Direction;
  readonly mechanisms: Mechanisms;
  readonly epsilon: number;
}

function curveFor({ epsilon, ...what }: Asked): Curve {
  const { task, scale, chernoff } = firstScale({ epsilon, ...what });
  // Out of any release's reach.
  if (chernoff <= leastDelta)
    return { made: epsilon, width: 0, deltaAt: (at) => ({ lower: 0, upper: at < epsilon ? 1 : leastDelta }) };
  let { step, tilt } = scale;
  for (let level = 0; ; level++) {
    const above = gridAbove(task, step);
    const better = level === 0 ? tiltForLoss(above, epsilon) : tilt;
    if (isFar(better, tilt)) {
      tilt = better;
      step = stepFor(task, above, tilt);
      continue;
    }
    const deltaAt = boundedCurve(task, above, { step, tilt });
    const { lower, upper } = deltaAt(epsilon);
    const wanted = Math.max(gapWanted * upper, smallGap);
    const finer =
      upper - lower > wanted ? finerStep(task, above, { step, tilt }, wanted / (upper - lower)) : undefined;
    if (finer === undefined || level === maxLevels)
      return { made: epsilon, width: best * Math.sqrt(cumulantsAt(above, tilt).variance), deltaAt };
    step = finer;
  }
}

function isFar(tilt: number, other: number): boolean {
  return tilt !== other && !(Math.abs(Math.log(tilt / other)) <= 0.5);
}

function boundedCurve(task: Task, above: Grid, { step, tilt }: Scale): (epsilon: number) => Bounds {
  const below = gridBelow(task, step);
  const upper = curveOf(above, tilt, 'upper');
  const lower = curveOf(below, tilt, 'lower');
  return (epsilon) => ({ lower: lower.deltaAt(epsilon + below.shift), upper: upper.deltaAt(epsilon) });
}

interface Start {
  readonly task: Task;
  readonly scale: Scale;
  /** Chernoff's bound of delta on a coarse grid: an upper bound. */
  readonly chernoff: number;
}

/** What may be out of reach depends on delta, and delta is known from what is in reach only: in two steps. */
function firstScale({ epsilon, ...what }: Asked): Start {
  let task: Task = { ...what, lost: leastDelta * lostShare };
  let coarse = coarseGrid(task);
  let tilt = tiltForLoss(coarse, epsilon);
  const { log, variance } = cumulantsAt(coarse, tilt);
  const chernoff = Math.exp(log - tilt * epsilon) + coarse.infinite;
  const most = Math.min(chernoff, totalVariation(what.mechanisms));
  const leastOfCurve = most * Math.exp(-tilt * useful * Math.sqrt(variance));
  task = { ...what, lost: Math.max(leastOfCurve, leastDelta) * lostShare };
  coarse = coarseGrid(task);
  tilt = tiltForLoss(coarse, epsilon);
  return { task, chernoff, scale: { tilt, step: firstStep(task, coarse, tilt) } };
}

/**
 * At least the total variation distance, which no delta exceeds: a release's is q (2 Phi(1 / 2z) - 1) <= q / (z sqrt(2 pi)).
 * Chernoff's bound says nothing (1) near epsilon 0, though delta is tiny where a user hardly ever takes part.
 */
function totalVariation(mechanisms: Mechanisms): number {
  return mechanisms.reduce(
    (sum, { noiseMultiplier, samplingRate, count }) =>
      sum + (count * samplingRate) / (noiseMultiplier * Math.sqrt(2 * Math.PI)),
    0,
  );
}
