/**
 * Special functions of statistics in float64, accurate to about 1e-13 relative where the result is not a zero of the
 * function. Outside its domain a function returns NaN, as those of Math do.
 */

const halfLogTwoPi = 0.5 * Math.log(2 * Math.PI);

/** Natural logarithm of the gamma function for x > 0; absolute error 1e-14 around its zeros at 1 and 2. */
export function logGamma(x: number): number {
  if (!(x > 0)) return Number.NaN;
  if (x === Infinity) return Infinity;
  return (x - 0.5) * Math.log(x) - x + halfLogTwoPi + stirlingRemainder(x);
}

/** Error function, in [-1, 1]. */
export function erf(x: number): number {
  if (Number.isNaN(x)) return Number.NaN;
  const size = Math.abs(x);
  const value = size < erfcSwitch ? erfSeries(size) : 1 - erfcFraction(size);
  return x < 0 ? -value : value;
}

/** Complementary error function 1 - erf(x), in [0, 2], with full relative accuracy in the right tail. */
export function erfc(x: number): number {
  if (Number.isNaN(x)) return Number.NaN;
  if (x < erfcSwitch) return 1 - erf(x);
  return erfcFraction(x);
}

/** P[Z <= x] for a standard normal Z; relative accuracy also in the left tail. */
export function normalCdf(x: number): number {
  return 0.5 * erfc(-x * Math.SQRT1_2);
}

/**
 * Mills' ratio P[Z <= x] / density(x) of a standard normal Z, x <= 30: relative accuracy however far out in the left tail,
 * where both underflow.
 */
export function millsRatio(x: number): number {
  if (x > -erfcSwitch * Math.SQRT2) return normalCdf(x) * Math.exp(0.5 * x * x + halfLogTwoPi);
  return scaledErfc(-x * Math.SQRT1_2) * Math.sqrt(Math.PI / 2);
}

/** The x with P[Z <= x] = probability, for a standard normal Z; -Infinity at 0 and Infinity at 1. */
export function normalQuantile(probability: number): number {
  if (!(probability >= 0 && probability <= 1)) return Number.NaN;
  if (probability > 0.5) return -normalQuantile(1 - probability);
  if (probability === 0) return -Infinity;
  if (probability === 0.5) return 0;
  let x = roughNormalQuantile(probability);
  // Halley's method triples the correct digits; the start has three.
  for (let step = 0; step < 3; step++) {
    const overDensity = Math.exp(Math.log(probability) + 0.5 * x * x + halfLogTwoPi);
    const error = (normalCdf(x) / probability - 1) * overDensity;
    x -= error / (1 + 0.5 * x * error);
  }
  return x;
}

/** Regularised incomplete beta function I_x(a, b) = P[Beta(a, b) <= x], for a > 0 and b > 0. */
export function regularisedBeta(x: number, a: number, b: number): number {
  if (!(a > 0 && b > 0) || Number.isNaN(x)) return Number.NaN;
  if (x <= 0) return 0;
  if (x >= 1) return 1;
  return x < (a + 1) / (a + b + 2) ? lowerBeta(x, 1 - x, a, b) : 1 - lowerBeta(1 - x, x, b, a);
}

/** The x with I_x(a, b) = probability, for a > 0 and b > 0: Newton's method kept inside a shrinking bracket. */
export function betaQuantile(probability: number, a: number, b: number): number {
  if (!(probability >= 0 && probability <= 1 && a > 0 && b > 0)) return Number.NaN;
  if (probability === 0 || probability === 1) return probability;
  let low = 0;
  let high = 1;
  let x = a / (a + b);
  for (let step = 0; step < maxQuantileSteps; step++) {
    const excess = regularisedBeta(x, a, b) - probability;
    if (excess > 0) high = x;
    else low = x;
    const newton = x - (excess * x * (1 - x)) / betaKernel(x, 1 - x, a, b);
    const next = newton > low && newton < high ? newton : 0.5 * (low + high);
    if (Math.abs(next - x) <= 2 * Number.EPSILON * x) return next;
    x = next;
  }
  return x;
}

/**
 * Regularised incomplete gamma functions for a > 0 and x >= 0: `below` = P[Gamma(a) <= x] and `above` = 1 - below, each with
 * relative accuracy in its own tail. Half a chi-square variable with 2 a degrees of freedom is Gamma(a).
 */
export function regularisedGamma(a: number, x: number): { below: number; above: number } {
  if (!(a > 0 && x >= 0)) return { below: Number.NaN, above: Number.NaN };
  if (x === 0) return { below: 0, above: 1 };
  if (x === Infinity) return { below: 1, above: 0 };
  if (x < a + 1) {
    const below = gammaKernel(a, x) * lowerGammaSeries(a, x);
    return { below, above: 1 - below };
  }
  const above = gammaKernel(a, x) * upperGammaFraction(a, x);
  return { below: 1 - above, above };
}

/** Enough halvings to reach the smallest positive number. */
const maxQuantileSteps = 1100;

/** Where the series for erf hands over to the continued fraction for erfc. */
const erfcSwitch = 2;

/** erf(x) = 2 / sqrt(pi) * exp(-x^2) * sum of 2^n x^(2n+1) / (2n+1)!!: all terms positive, so nothing cancels. */
function erfSeries(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
}

function erfcFraction(x: number): number {
  return x === Infinity ? 0 : Math.exp(-x * x) * scaledErfc(x);
}

/** exp(x^2) erfc(x) = 1 / sqrt(pi) / (x + (1/2)/(x + (2/2)/(x + (3/2)/(x + ...)))), evaluated from the inside. */
function scaledErfc(x: number): number {
  // The tail error falls like exp(-x sqrt(8 depth)): this depth keeps it below 1e-17.
  const depth = 16 + Math.ceil(200 / (x * x));
  let tail = x;
  for (let n = depth; n >= 1; n--) tail = x + (0.5 * n) / tail;
  return 1 / (Math.sqrt(Math.PI) * tail);
}

/** Abramowitz and Stegun 26.2.23, absolute error 4.5e-4, for 0 < probability <= 1/2. */
function roughNormalQuantile(probability: number): number {
  const t = Math.sqrt(-2 * Math.log(probability));
  const top = 2.515517 + t * (0.802853 + t * 0.010328);
  const bottom = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308));
  return top / bottom - t;
}

/** logGamma(x) minus Stirling's formula (x - 1/2) log x - x + log(2 pi) / 2. */
function stirlingRemainder(x: number): number {
  let shifted = 0;
  let z = x;
  for (; z < 10; z++) shifted += (z + 0.5) * Math.log1p(1 / z) - 1;
  const w = 1 / (z * z);
  const series =
    1 / 12 - w * (1 / 360 - w * (1 / 1260 - w * (1 / 1680 - w * (1 / 1188 - w * (691 / 360360 - w / 156)))));
  return shifted + series / z;
}

/** I_x(a, b) for x below (a + 1) / (a + b + 2), y = 1 - x: Lentz's evaluation of the continued fraction (DLMF 8.17.22). */
function lowerBeta(x: number, y: number, a: number, b: number): number {
  const tiny = 1e-300;
  let c = 1;
  let d = 1 / awayFromZero(1 - ((a + b) * x) / (a + 1), tiny);
  let fraction = d;
  for (let m = 1; m < 100_000; m++) {
    const even = (m * (b - m) * x) / ((a + 2 * m - 1) * (a + 2 * m));
    d = 1 / awayFromZero(1 + even * d, tiny);
    c = awayFromZero(1 + even / c, tiny);
    fraction *= d * c;
    const odd = (-(a + m) * (a + b + m) * x) / ((a + 2 * m) * (a + 2 * m + 1));
    d = 1 / awayFromZero(1 + odd * d, tiny);
    c = awayFromZero(1 + odd / c, tiny);
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return (betaKernel(x, y, a, b) * fraction) / a;
}

function awayFromZero(value: number, tiny: number): number {
  return Math.abs(value) < tiny ? tiny : value;
}

/** x^a y^b / B(a, b) with y = 1 - x, in Loader's saddle-point form: nothing large cancels, whatever a and b are. */
function betaKernel(x: number, y: number, a: number, b: number): number {
  const n = a + b;
  const distance = b * x - a * y;
  const exponent = a * logMinus((x * n) / a, distance / a) + b * logMinus((y * n) / b, -distance / b);
  const stirling = stirlingRemainder(n) - stirlingRemainder(a) - stirlingRemainder(b);
  return Math.sqrt(((a / n) * b) / (2 * Math.PI)) * Math.exp(exponent + stirling);
}

/** x^a exp(-x) / Gamma(a), in the same form. */
function gammaKernel(a: number, x: number): number {
  return Math.sqrt(a / (2 * Math.PI)) * Math.exp(a * logMinus(x / a, (x - a) / a) - stirlingRemainder(a));
}

/** 1/a + x/(a (a+1)) + x^2/(a (a+1) (a+2)) + ...: all terms positive, so nothing cancels. */
function lowerGammaSeries(a: number, x: number): number {
  let term = 1 / a;
  let sum = term;
  for (let n = 1; term > sum * 1e-17; n++) {
    term *= x / (a + n);
    sum += term;
  }
  return sum;
}

/** 1/(x+1-a - 1 (1-a)/(x+3-a - 2 (2-a)/(x+5-a - ...))) for x >= a + 1 by Lentz's method (DLMF 8.9.2). */
function upperGammaFraction(a: number, x: number): number {
  const tiny = 1e-300;
  let bottom = x + 1 - a;
  let c = 1 / tiny;
  let d = 1 / awayFromZero(bottom, tiny);
  let fraction = d;
  for (let n = 1; n < 1_000_000; n++) {
    const top = n * (a - n);
    bottom += 2;
    d = 1 / awayFromZero(bottom + top * d, tiny);
    c = awayFromZero(bottom + top / c, tiny);
    fraction *= d * c;
    if (Math.abs(d * c - 1) < 1e-16) break;
  }
  return fraction;
}

/** log(ratio) - u for ratio = 1 + u > 0, precise for ratios close to 1 and close to 0. */
function logMinus(ratio: number, u: number): number {
  if (Math.abs(u) > 0.5) return Math.log(ratio) - u;
  const r = u / (2 + u);
  const square = r * r;
  let power = 1;
  let sum = 1 / 3;
  for (let odd = 5; power > 1e-18; odd += 2) {
    power *= square;
    sum += power / odd;
  }
  return r * (2 * square * sum - u);
}
