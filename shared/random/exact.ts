import type { Rng } from './rng.ts';

/** A rational number, denominator > 0. */
export interface Fraction {
  readonly numerator: bigint;
  readonly denominator: bigint;
}

/** A rational number in [value - error, value + error], worked out in full only where that interval leaves a doubt. */
export interface NearFraction {
  readonly value: number;
  readonly error: number;
  readonly exact: () => Fraction;
}

/** Uniform integer in 0 .. n - 1, for integer n in 1 .. 2^52. Rejects the incomplete last cycle of 2^52, so nothing is favoured. */
export function uniformInteger(rng: Rng, n: number): number {
  const cycle = Math.floor(2 ** 52 / n);
  for (;;) {
    // Below 2^52 a quotient that is not an integer is at least 1 / cycle away from one, too far to be rounded to it.
    const value = Math.floor(Math.floor(rng.uniform() * 2 ** 52) / cycle);
    if (value < n) return value;
  }
}

/**
 * True with probability a / b exactly, for integers 0 <= a <= b, 1 <= b <= 2^53. The first 53 binary digits of a uniform
 * number leave a doubt about once in 2^51; only then are more of them drawn.
 */
export function bernoulli(rng: Rng, a: number, b: number): boolean {
  const cell = rng.uniform() * 2 ** 53;
  // A correctly rounded quotient in [0, 1] is within 2^-54 of the true one.
  const edge = (a / b) * 2 ** 53;
  if (cell <= edge - 2) return true;
  if (cell >= edge + 1) return false;
  return isBelow(rng, cell, { numerator: BigInt(a), denominator: BigInt(b) });
}

/** True with probability exp(-a / b) exactly, for integers 0 <= a <= b, 1 <= b <= 2^41; Algorithm 1 for exponents in [0, 1]. */
export function bernoulliExp(rng: Rng, a: number, b: number): boolean {
  let k = 1;
  while (bernoulli(rng, a, b * k)) k++;
  return k % 2 === 1;
}

/** True with probability exp(-x) exactly, for a rational x >= 0; Algorithm 1. */
export function bernoulliExpNear(rng: Rng, x: NearFraction): boolean {
  const whole = floorOf(x);
  for (let i = 0; i < whole; i++) if (!bernoulliExp(rng, 1, 1)) return false;
  let k = 1;
  while (bernoulliNear(rng, x, whole, k)) k++;
  return k % 2 === 1;
}

function floorOf({ value, error, exact }: NearFraction): number {
  const low = Math.floor(value - error);
  if (low === Math.floor(value + error)) return low;
  const { numerator, denominator } = exact();
  return Number(numerator / denominator);
}

/** True with probability (x - whole) / k. */
function bernoulliNear(rng: Rng, { value, error, exact }: NearFraction, whole: number, k: number): boolean {
  const cell = rng.uniform() * 2 ** 53;
  const edge = ((value - whole) / k) * 2 ** 53;
  // Twice the error given, for the roundings of `edge` itself.
  const doubt = (2 * error * 2 ** 53) / k + 2;
  if (cell <= edge - doubt) return true;
  if (cell >= edge + doubt) return false;
  const { numerator, denominator } = exact();
  return isBelow(rng, cell, {
    numerator: numerator - BigInt(whole) * denominator,
    denominator: denominator * BigInt(k),
  });
}

/** Whether a uniform number of which the first 53 binary digits are `cell` lies below the fraction. */
function isBelow(rng: Rng, cell: number, { numerator, denominator }: Fraction): boolean {
  const rest = (numerator << 53n) - BigInt(cell) * denominator;
  if (rest <= 0n) return false;
  return rest >= denominator || uniformBigInteger(rng, denominator) < rest;
}

/** Uniform integer in 0 .. n - 1 from as many bits as n has, drawn again until they are below n. */
function uniformBigInteger(rng: Rng, n: bigint): bigint {
  const bits = n.toString(2).length;
  for (;;) {
    let value = 0n;
    for (let drawn = 0; drawn < bits; drawn += 32) value = (value << 32n) | BigInt(rng.uint32());
    value = BigInt.asUintN(bits, value);
    if (value < n) return value;
  }
}
