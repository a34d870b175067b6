import type { UpdateSize } from './form.ts';

/** One user's update over all layers. */
interface WholeSize {
  /** NaN when the update is not finite. */
  readonly norm: number;
  readonly mass: number;
}

/** Largest float32; an update beyond it would not be finite in float32. */
const largest = (2 - 2 ** -23) * 2 ** 127;

/** Joint size of an update from its layers'. */
export function wholeSize(layers: readonly UpdateSize[]): WholeSize {
  let squares = 0;
  let mass = 0;
  for (const layer of layers) {
    squares += layer.squaredNorm;
    mass += layer.mass;
  }
  const norm = Math.sqrt(Math.max(0, squares));
  return { norm: norm <= largest ? norm : NaN, mass };
}

/**
 * How often an update's mass may exceed its norm before it is clipped by its mass: the sum's rounding error grows with the mass,
 * and docs/privacy.md grants it a bound. Only terms that cancel to a sixty-fourth are meant, which training hardly ever makes.
 */
const massPerNorm = 64;

/** Keeps the clipped norm, as computed, below the clip norm whatever the last bits do. */
const margin = 1 - 2 ** -40;

/** What a user's update is multiplied with in the sum: her weight times the clipping; 0 for an update that is not finite. */
export function sumFactor({ norm, mass }: WholeSize, clipNorm: number | 'unbounded', weight: number): number {
  if (Number.isNaN(norm)) return 0;
  if (clipNorm === 'unbounded') return weight;
  const influence = Math.max(norm, mass / massPerNorm);
  return influence <= clipNorm ? weight : weight * margin * (clipNorm / influence);
}
