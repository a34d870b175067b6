import type { Rng } from './rng.ts';

/**
 * `count` independent standard normal numbers (mean 0, standard deviation 1), shape (count,), by Box and Muller (1958).
 *
 * The law holds up to the rounding of float64 functions. `Math.log` and `Math.cos` may differ in the last bit between
 * JavaScript engines, so a seeded stream repeats exactly on one engine and to about 1e-15 on another.
 */
export function standardNormals(rng: Rng, count: number): Float64Array {
  const normals = new Float64Array(count);
  for (let i = 0; i < count; i += 2) {
    const radius = Math.sqrt(-2 * Math.log(openUniform(rng)));
    const angle = 2 * Math.PI * rng.uniform();
    normals[i] = radius * Math.cos(angle);
    if (i + 1 < count) normals[i + 1] = radius * Math.sin(angle);
  }
  return normals;
}

const smallEnd = 2 ** -32;

/**
 * Uniform on (0, 1), fine-grained towards 0, never 0 and never 1.
 *
 * Multiples of 2^-53 would cut the radius at sqrt(2 * 53 * ln 2) = 8.57 and leave a few isolated values just below. Given
 * that a uniform number is under 2^-32, its quotient by 2^-32 is uniform again, so there a fresh one takes its place and
 * the spacing stays under 2^-21 of the value however far the tail goes.
 */
export function openUniform(rng: Rng): number {
  let scale = 1;
  let value = rng.uniform();
  while (value < smallEnd) {
    scale *= smallEnd;
    value = rng.uniform();
  }
  return scale * value;
}
