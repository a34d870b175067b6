import { type ComposedLoss, composed } from './compose.ts';
import { type Composition, cumulantsAt, windowOf } from './cumulants.ts';
import {
  type Direction,
  type Grid,
  lowerGrid,
  type Mechanisms,
  numReleases,
  towards,
  upperGrid,
  widestRange,
} from './grids.ts';
import { type Side, type TailCurve, tailCurve } from './tail.ts';

/** What is composed, from where it is looked at, and the probability that may be out of reach. */
export interface Task {
  readonly direction: Direction;
  readonly mechanisms: Mechanisms;
  /** In (0, 1). */
  readonly lost: number;
}

/** Resolution of a computation; it decides how tight the bounds are, and never whether they hold. */
export interface Scale {
  /** Distance of neighbouring losses, nats. */
  readonly step: number;
  /** See {@link composed}; >= 0. */
  readonly tilt: number;
}

/** Most points of one transform, and most losses of one release. */
const mostPoints = 2 ** 18;
const mostLosses = 2 ** 17;

/** Steps of the longest window that is composed: that of another grid than the step was made for can be thousands of times wider. */
const longestWindow = 2 ** 20;

/** Losses of the grid from which step and tilt are guessed. */
const coarseLosses = 1024;

/** Rounding errors of a mass, of its exponent and of their sums, relative, for one release. */
const relativeErrorEach = 1e-13;

/** A grid from above with this step. */
export function gridAbove({ direction, mechanisms, lost }: Task, step: number): Grid {
  return towards(direction, upperGrid(mechanisms, step, lost));
}

/** A grid from below with this step. */
export function gridBelow({ direction, mechanisms, lost }: Task, step: number): Grid {
  return towards(direction, lowerGrid(mechanisms, step, lost));
}

/** A grid from above that is good for a first guess. */
export function coarseGrid(task: Task): Grid {
  return gridAbove(task, widestRange(task.mechanisms, task.lost) / coarseLosses);
}

/**
 * The delta of a grid as a function of epsilon. A grid whose window is far longer than the one that its step was made for says nothing.
 */
export function curveOf(grid: Grid, tilt: number, side: Side): TailCurve {
  const window = windowOf(grid, tilt);
  if (!(window.to - window.from <= grid.step * longestWindow)) return unknownCurve(side);
  const loss = withoutSlack(composed(grid, tilt, window), grid.slack);
  return tailCurve(loss, side, {
    infinite: grid.infinite,
    relative: relativeErrorEach * numReleases(grid.parts),
  });
}

/** All losses lower by as much as they may be too high. */
function withoutSlack(loss: ComposedLoss, slack: number): ComposedLoss {
  return { ...loss, offset: loss.offset - slack, log: loss.log - loss.tilt * slack };
}

function unknownCurve(side: Side): TailCurve {
  return side === 'upper'
    ? { deltaAt: () => 1, epsilonAt: () => Infinity }
    : { deltaAt: () => 0, epsilonAt: () => 0 };
}

/** A step to begin with, no wider than that of a grid that is too coarse unless the longest transform asks for it. */
export function firstStep(task: Task, coarse: Composition, tilt: number): number {
  return Math.max(
    Math.min(coarse.step, typicalStep(coarse, tilt)),
    feasibleStep(task, widthOf(coarse, tilt)),
  );
}

/** An eighth of the tilted standard deviation of one release, or what the longest transform allows. */
export function stepFor(task: Task, grid: Composition, tilt: number): number {
  return Math.max(typicalStep(grid, tilt), feasibleStep(task, widthOf(grid, tilt)));
}

function typicalStep(grid: Composition, tilt: number): number {
  return Math.sqrt(cumulantsAt(grid, tilt).variance / numReleases(grid.parts)) / 8;
}

/** What the longest transform allows for a window of that width. */
function feasibleStep(task: Task, width: number): number {
  return Math.max(stepWith(mostPoints, width), leastStep(task));
}

function widthOf(grid: Composition, tilt: number): number {
  const { from, to } = windowOf(grid, tilt);
  return to - from;
}

/**
 * The step that a gap between the bounds calls for when they are wanted `wanted` apart, since errors are of second order in
 * the step; undefined where it cannot be much finer.
 */
export function finerStep(
  task: Task,
  grid: Composition,
  { step, tilt }: Scale,
  share: number,
): number | undefined {
  const finer = step * Math.max(0.1, Math.min(0.5, Math.sqrt(share) * 0.8));
  const width = widthOf(grid, tilt);
  const next = Math.max(fitting(finer, width), feasibleStep(task, width));
  return next > 0.8 * step ? undefined : next;
}

/** Slightly wider, where that halves the transform. */
function fitting(step: number, width: number): number {
  const wider = stepWith(2 ** Math.floor(Math.log2(width / step)), width);
  return wider > step && wider < 1.15 * step ? wider : step;
}

/** The step of which so many points cover a window of that width. */
function stepWith(points: number, width: number): number {
  return width / Math.max(1, points - 4);
}

function leastStep({ mechanisms, lost }: Task): number {
  return widestRange(mechanisms, lost) / mostLosses;
}
