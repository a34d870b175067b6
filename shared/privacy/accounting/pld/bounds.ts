import type { Bounds } from '../profile.ts';
import { type Composition, tiltForDelta, tiltForLoss } from './cumulants.ts';
import { type Direction, type Mechanisms, totalVariation } from './grids.ts';
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

/** Gap between the bounds that is small enough, relative to the upper one, and in nats. */
const gapWanted = 1e-3;
const smallGap = 1e-6;

/** Share of delta that may be out of reach: part of the gap; less makes the range wider, and the step with it. */
const lostShare = 1e-3;

/** Gaps shrink to a quarter at least from level to level. */
const maxLevels = 7;

/**
 * Bounds on the epsilon (nats) of a composition at `delta` in (0, 1), from finer and finer grids until they are close or the
 * transforms get too long. Both hold on every grid; the upper one is Infinity where no grid reaches. Both directions count
 * for the upper bound; a lower bound of either is one of the maximum.
 */
export function epsilonBounds(mechanisms: Mechanisms, delta: number): Bounds {
  if (totalVariation(mechanisms) <= delta) return { lower: 0, upper: 0 };
  const task = (direction: Direction): Task => ({ direction, mechanisms, lost: delta * lostShare });
  const removing = boundsTowards(task('removing'), delta, 0);
  // Mostly the smaller one: then a coarse bound will do.
  const adding = boundsTowards(task('adding'), delta, removing.upper);
  return {
    lower: Math.max(removing.lower, adding.lower),
    upper: Math.max(removing.upper, adding.upper),
  };
}

function boundsTowards(task: Task, delta: number, enough: number): Bounds {
  let scale = firstScale(task, delta);
  let [lower, upper] = [0, Infinity];
  for (let level = 0; level < maxLevels; level++) {
    const above = gridAbove(task, scale.step);
    upper = Math.min(upper, curveOf(above, scale.tilt, 'upper').epsilonAt(delta));
    if (upper <= enough) break;
    const corrected =
      level === 0 ? correctedScale(task, above, { tilt: scale.tilt, epsilon: upper }) : undefined;
    if (corrected) {
      scale = corrected;
      continue;
    }
    const below = gridBelow(task, scale.step);
    lower = Math.max(lower, curveOf(below, scale.tilt, 'lower').epsilonAt(delta));
    const wanted = Math.max(gapWanted * upper, smallGap);
    const finer =
      upper - lower > wanted ? finerStep(task, above, scale, wanted / (upper - lower)) : undefined;
    if (finer === undefined) break;
    scale = { ...scale, step: finer };
  }
  return { lower, upper };
}

/** A step and a tilt to begin with, from a grid that is too coarse. */
function firstScale(task: Task, delta: number): Scale {
  const coarse = coarseGrid(task);
  const tilt = tiltForDelta(coarse, Math.log(delta));
  return { tilt, step: firstStep(task, coarse, tilt) };
}

/** The same from a better grid, where the first was far off. */
function correctedScale(
  task: Task,
  grid: Composition,
  first: { readonly tilt: number; readonly epsilon: number },
): Scale | undefined {
  const tilt = tiltForLoss(grid, first.epsilon);
  if (tilt === 0 || Math.abs(Math.log(tilt / first.tilt)) <= 0.5) return undefined;
  return { tilt, step: stepFor(task, grid, tilt) };
}
