import type { SampledGaussians } from '../interpret.ts';
import type { Composition, Repeated } from './cumulants.ts';
import { lossAt } from './loss.ts';
import { dominatedPair, dominatingPair, mirrored, reachOf } from './pairs.ts';

/** Which neighbour the loss is taken against: the user's data removed (P has them) or added (P lacks them). */
export type Direction = 'removing' | 'adding';

export type Mechanisms = readonly SampledGaussians[];

/** All mechanisms on one grid, as seen from the direction "removing". */
export interface Grid extends Composition {
  /** Probability that some release has an infinite loss (0 in a grid from below, which leaves it out). */
  readonly infinite: number;
  /** By how much the grid's total loss may lie above the true one, nats (grids from below). */
  readonly shift: number;
}

/** A composition at least as easy to tell apart; releases of probability `lost` together are out of reach. */
export function upperGrid(mechanisms: Mechanisms, step: number, lost: number): Grid {
  const each = lost / numReleases(mechanisms);
  let infinite = 0;
  const parts = mechanisms.map((mechanism): Repeated => {
    const reach = reachOf(mechanism, each);
    infinite += mechanism.count * reach.lost;
    return { pair: dominatingPair(mechanism, step, reach), count: mechanism.count };
  });
  return { step, parts, infinite, shift: 0 };
}

/** A composition no easier to tell apart. */
export function lowerGrid(mechanisms: Mechanisms, step: number, lost: number): Grid {
  const each = lost / numReleases(mechanisms);
  let shift = 0;
  const parts = mechanisms.map((mechanism): Repeated => {
    const pair = dominatedPair(mechanism, step, reachOf(mechanism, each));
    shift += mechanism.count * pair.shift;
    return { pair, count: mechanism.count };
  });
  return { step, parts, infinite: 0, shift };
}

/** The grid as seen from a direction. */
export function towards(direction: Direction, grid: Grid): Grid {
  if (direction === 'removing') return grid;
  return {
    ...grid,
    parts: grid.parts.map(({ pair, count }) => ({ pair: mirrored(pair, grid.step), count })),
  };
}

/** Number of releases in all. */
export function numReleases(parts: readonly { readonly count: number }[]): number {
  return parts.reduce((total, { count }) => total + count, 0);
}

/** Width of the losses that one release can have within reach, nats; the widest of all mechanisms. */
export function widestRange(mechanisms: Mechanisms, lost: number): number {
  const each = lost / numReleases(mechanisms);
  const widths = mechanisms.map((mechanism) => {
    const { from, to } = reachOf(mechanism, each);
    return lossAt(mechanism, to) - lossAt(mechanism, from);
  });
  return Math.max(...widths);
}
