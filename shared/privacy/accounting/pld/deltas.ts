import type { Bounds } from '../profile.ts';
import { cumulantsAt, tiltForLoss } from './cumulants.ts';
import { type Direction, type Grid, type Mechanisms, totalVariation } from './grids.ts';
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
const lostShare = 1e-4;

/** The least normal delta; below, only that it is not more. */
const leastDelta = 1e-300;
const maxLevels = 5;

/** Share of delta that an infinite loss may have on the grid from which the first step is guessed. */
const mostInfinite = 1e-4;

/** While an infinite loss is all that a grid shows, each round leaves a ten-thousandth of it, down to the least delta. */
const maxRounds = 80;

/** Half the width of the interval of epsilons for which a curve is meant, in tilted standard deviations. */
const useful = 1;

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
  const distance = Math.min(1, totalVariation(mechanisms));
  const largest = largestAddingLoss(mechanisms);
  const mostAt: Record<Direction, (epsilon: number) => number> = {
    removing: () => distance,
    adding: (epsilon) => Math.min(distance, Math.max(0, -Math.expm1(epsilon - largest))),
  };
  const curves: Record<Direction, Curve[]> = { removing: [], adding: [] };
  return (direction, epsilon) => {
    const known = curves[direction];
    const most = mostAt[direction](epsilon);
    const bounds = bestOf(known, epsilon, most);
    if (isClose(bounds) || known.some(({ made, width }) => Math.abs(epsilon - made) <= width)) return bounds;
    known.push(curveFor({ direction, mechanisms, epsilon }));
    return bestOf(known, epsilon, most);
  };
}

/** No outcome tells more of a user's absence than -ln(1 - q) in one release; a little more, for rounding. */
function largestAddingLoss(mechanisms: Mechanisms): number {
  const sum = mechanisms.reduce(
    (total, { samplingRate, count }) => total - count * Math.log1p(-samplingRate),
    0,
  );
  return sum * (1 + 1e-12);
}

function bestOf(curves: readonly Curve[], epsilon: number, most: number): Bounds {
  const { lower, upper } = tightest(curves.map((curve) => curve.deltaAt(epsilon)));
  return { lower, upper: Math.min(most, upper) };
}

function tightest(bounds: readonly Bounds[]): Bounds {
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
  const { task, scale, delta } = firstScale({ epsilon, ...what });
  // Out of any release's reach.
  if (delta <= leastDelta)
    return { made: epsilon, width: 0, deltaAt: (at) => ({ lower: 0, upper: at < epsilon ? 1 : leastDelta }) };
  let { step, tilt } = scale;
  // Those of all levels: a finer grid from below is now and then worse.
  const levels: Curve['deltaAt'][] = [];
  const deltaAt: Curve['deltaAt'] = (at) => tightest(levels.map((level) => level(at)));
  for (let level = 0; ; level++) {
    const above = gridAbove(task, step);
    const better = level === 0 ? tiltForLoss(above, epsilon) : tilt;
    if (isFar(better, tilt)) {
      tilt = better;
      step = stepFor(task, above, tilt);
      continue;
    }
    levels.push(boundedCurve(task, above, { step, tilt }));
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
  return (epsilon) => ({ lower: lower.deltaAt(epsilon), upper: upper.deltaAt(epsilon) });
}

interface Start {
  readonly task: Task;
  readonly scale: Scale;
  /** At most so much, on a coarse grid. */
  readonly delta: number;
}

/**
 * What may be out of reach depends on delta, and delta is known from what is in reach only. A coarse grid of all outcomes shows a
 * delta that is far too large where users hardly ever take part, so the guess is made again from what it leaves, until that is
 * no part of delta. Chernoff's bound would not do: where few releases have long tails it can be millions of times delta.
 */
function firstScale({ epsilon, ...what }: Asked): Start {
  const distance = totalVariation(what.mechanisms);
  let lost = leastDelta * lostShare;
  for (let round = 0; ; round++) {
    const task = { ...what, lost };
    const coarse = coarseGrid(task);
    const tilt = tiltForLoss(coarse, epsilon);
    const curve = curveOf(coarse, tilt, 'upper');
    const delta = Math.min(curve.deltaAt(epsilon), distance);
    const isSettled = round > 0 && coarse.infinite <= mostInfinite * delta;
    if (isSettled || delta <= leastDelta || round === maxRounds)
      return { task, delta, scale: { tilt, step: firstStep(task, coarse, tilt) } };
    const far = curve.deltaAt(epsilon + useful * Math.sqrt(cumulantsAt(coarse, tilt).variance));
    lost = Math.max(Math.min(far, delta), leastDelta) * lostShare;
  }
}
