import { bernoulliExp, bernoulliExpNear, type Fraction, uniformInteger } from './exact.ts';
import type { Rng } from './rng.ts';
import { fairCoin } from './sample.ts';

/**
 * `count` independent integers of the discrete Gaussian law, P(k) proportional to exp(-k^2 / (2 sigma^2)) with sigma = stdDev,
 * shape (count,), exact integers held in float64. Algorithm 3 of Canonne, Kamath and Steinke (2020, arXiv:2004.00010): a
 * discrete Laplace number, kept with probability exp(-(|y| - sigma^2 / t)^2 / (2 sigma^2)).
 *
 * Exact: sigma^2 is the square of the float64 as a rational number, and every coin is decided by integers. No `Math.exp` or
 * `Math.log` takes part, so a seeded stream repeats on every engine. The actual standard deviation is sigma to within a
 * factor 1 - 2^-50 from sigma = 2 on, and less than sigma below. Throws RangeError for a stdDev outside 2^-20 .. 2^40.
 */
export function discreteGaussians(rng: Rng, count: number, stdDev: number): Float64Array {
  const shape = shapeOf(stdDev);
  const values = new Float64Array(count);
  for (let i = 0; i < count; i++) values[i] = discreteGaussian(rng, shape);
  return values;
}

/** Whether discreteGaussians takes this standard deviation. */
export function takesStdDev(stdDev: number): boolean {
  return stdDev >= 2 ** -20 && stdDev <= 2 ** 40;
}

/** Standard deviation sigma as float64 and sigma^2 exactly, with the scale t = floor(sigma) + 1 of the Laplace numbers. */
interface Shape {
  readonly stdDev: number;
  readonly square: Fraction;
  readonly scale: number;
}

function shapeOf(stdDev: number): Shape {
  if (!takesStdDev(stdDev))
    throw new RangeError(
      `the discrete Gaussian takes a standard deviation of 2^-20 to 2^40 grid units, not ${stdDev}`,
    );
  let numerator = stdDev;
  let denominator = 1n;
  for (; !Number.isInteger(numerator); numerator *= 2) denominator *= 2n;
  const square = { numerator: BigInt(numerator) ** 2n, denominator: denominator ** 2n };
  return { stdDev, square, scale: Math.floor(stdDev) + 1 };
}

function discreteGaussian(rng: Rng, shape: Shape): number {
  for (;;) {
    const value = discreteLaplace(rng, shape.scale);
    if (isKept(rng, Math.abs(value), shape)) return value;
  }
}

/**
 * One integer with P(x) proportional to exp(-|x| / t), for integer t in 1 .. 2^41; Algorithm 2 with s = 1. Its size stays
 * below 2^53 but for a probability of exp(-4096).
 */
export function discreteLaplace(rng: Rng, t: number): number {
  for (;;) {
    const rest = uniformInteger(rng, t);
    if (!bernoulliExp(rng, rest, t)) continue;
    let size = rest;
    while (bernoulliExp(rng, 1, 1)) size += t;
    const negative = fairCoin(rng);
    if (negative && size === 0) continue;
    return negative ? -size : size;
  }
}

/**
 * True with probability exp(-(size - sigma^2 / t)^2 / (2 sigma^2)). In float64 the quotient w = (size - sigma^2 / t) / sigma
 * is off by at most (1 + |w|) 2^-52, since sigma <= t, and the exponent w^2 / 2 therefore by less than (1 + |w|)^2 2^-51.
 */
function isKept(rng: Rng, size: number, { stdDev, square, scale }: Shape): boolean {
  const quotient = (size - (stdDev * stdDev) / scale) / stdDev;
  const error = (1 + Math.abs(quotient)) ** 2 * 2 ** -51;
  return bernoulliExpNear(rng, { value: 0.5 * quotient * quotient, error, exact });

  function exact(): Fraction {
    const t = BigInt(scale);
    const offset = BigInt(size) * square.denominator * t - square.numerator;
    return { numerator: offset ** 2n, denominator: 2n * square.denominator * square.numerator * t ** 2n };
  }
}
