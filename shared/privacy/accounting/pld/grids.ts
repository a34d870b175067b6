import type { SampledGaussians } from '../interpret.ts';
import type { Composition, Repeated } from './cumulants.ts';
import { dominatedPair } from './dominated-pair.ts';
import { lossAt } from './loss.ts';
import { dominatingPair, mirrored, reachOf } from './pairs.ts';

/** Which neighbour the loss is taken against: the user's data removed (P has them) or added (P lacks them). */
export type Direction = 'removing' | 'adding';

export type Mechanisms = readonly SampledGaussians[];

/** All mechanisms on one grid, as seen from the direction "removing". */
export interface Grid extends Composition {
  /** Probability that some release has an infinite loss (0 in a grid from below, which leaves it out). */
  readonly infinite: number;
  /** By how much the total loss may lie above the true one, nats: a rounding error (grids from below). */
  readonly slack: number;
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
  return { step, parts, infinite, slack: 0 };
}

/** A composition no easier to tell apart. */
export function lowerGrid(mechanisms: Mechanisms, step: number, lost: number): Grid {
  const each = lost / numReleases(mechanisms);
  let slack = 0;
  const parts = mechanisms.map((mechanism): Repeated => {
    const pair = dominatedPair(mechanism, step, reachOf(mechanism, each));
    slack += mechanism.count * pair.slack;
    return { pair, count: mechanism.count };
  });
  return { step, parts, infinite: 0, slack };
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

/**
 * At least the total variation distance, which no delta exceeds: a release's is q (2 Phi(1 / 2z) - 1) <= q / (z sqrt(2 pi)),
 * and composing adds up no more than all of them. Near epsilon 0 it says more than a grid where a user hardly ever takes part.
 */
export function totalVariation(mechanisms: Mechanisms): number {
  return mechanisms.reduce(
    (sum, { noiseMultiplier, samplingRate, count }) =>
      sum + (count * samplingRate) / (noiseMultiplier * Math.sqrt(2 * Math.PI)),
    0,
  );
}
