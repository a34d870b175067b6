import type { SamplingRate } from '../units.ts';
import type { Rng } from './rng.ts';

/**
 * Indices in 0 .. population - 1 of the users whose own independent coin of probability q came up, ascending. Empty
 * draws happen; rate 1 gives everybody.
 *
 * Instead of one coin for each user it draws the gaps between successes, which are independent with the geometric law
 * P(gap >= k) = (1 - q)^k: gap = floor(ln u / ln(1 - q)) with u uniform (Devroye 1986, X.2). The cost is proportional to
 * the number drawn; each gap's law holds to within 2^-53, as that of a coin from 53 bits does.
 */
export function poissonSample(rng: Rng, population: number, rate: SamplingRate): Int32Array {
  if (rate === 1) return Int32Array.from({ length: population }, (_, index) => index);
  const q: number = rate;
  const logMiss = Math.log1p(-q);
  const gap = (): number => Math.floor(Math.log(openUniform(rng)) / logMiss);
  const drawn: number[] = [];
  for (let index = gap(); index < population; index += 1 + gap()) drawn.push(index);
  return Int32Array.from(drawn);
}

const smallEnd = 2 ** -32;

/**
 * Uniform on (0, 1), fine-grained towards 0, never 0 and never 1.
 *
 * Multiples of 2^-53 would cut the longest gaps short and leave a few isolated ones just below. Given that a uniform number
 * is under 2^-32, its quotient by 2^-32 is uniform again, so there a fresh one takes its place and the spacing stays under
 * 2^-21 of the value however long the gap.
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

/** The numbers 0 .. length - 1 in uniformly random order (Fisher and Yates; Durstenfeld 1964). */
export function shuffled(rng: Rng, length: number): Int32Array {
  const order = Int32Array.from({ length }, (_, index) => index);
  for (let last = length - 1; last > 0; last--) {
    const chosen = uniformBelow(rng, last + 1);
    const moved = order[last] ?? 0;
    order[last] = order[chosen] ?? 0;
    order[chosen] = moved;
  }
  return order;
}

/** Uniform integer in 0 .. n - 1, for integer n in 1 .. 2^32. Rejects the incomplete last cycle, so nothing is favoured. */
export function uniformBelow(rng: Rng, n: number): number {
  if (!Number.isInteger(n) || n < 1 || n > 2 ** 32)
    throw new RangeError(`uniformBelow takes an integer in 1 .. 2^32, not ${n}`);
  const limit = 2 ** 32 - (2 ** 32 % n);
  let value = rng.uint32();
  while (value >= limit) value = rng.uint32();
  return value % n;
}

/** True with probability 1/2. */
export function fairCoin(rng: Rng): boolean {
  return rng.uint32() >= 2 ** 31;
}
