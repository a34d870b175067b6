import type { Rng } from '../../shared/random/rng.ts';

/** Random draws of which made-up patients consist. */

/** A standard normal number, by Box and Muller's transform of two uniform ones. */
export function normal(rng: Rng): number {
  return Math.sqrt(-2 * Math.log(1 - rng.uniform())) * Math.cos(2 * Math.PI * rng.uniform());
}

/** True with this probability. */
export function chance(rng: Rng, probability: number): boolean {
  return rng.uniform() < probability;
}

/** One of the keys, drawn in proportion to its weight; weights are >= 0 and not all zero. */
export function weighted<T extends string>(rng: Rng, weights: Readonly<Record<T, number>>): T {
  const entries = weightEntries(weights);
  let left = rng.uniform() * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [key, weight] of entries) {
    left -= weight;
    if (left < 0) return key;
  }
  throw new RangeError('weights must be positive somewhere');
}

function weightEntries<T extends string>(weights: Readonly<Record<T, number>>): [T, number][] {
  return Object.entries(weights) as [T, number][];
}

/** 1 / (1 + e^-x). */
export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** The number in [low, high] that is nearest to the value. */
export function clamp(value: number, low: number, high: number): number {
  return Math.min(Math.max(value, low), high);
}

/** The inverse of {@link sigmoid}; infinite at 0 and 1. */
export function logit(probability: number): number {
  return Math.log(probability / (1 - probability));
}
