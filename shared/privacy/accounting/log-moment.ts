/**
 * ln A(alpha) of the Poisson-subsampled Gaussian mechanism, the quantity behind its Renyi divergence (Mironov, Talwar,
 * Zhang 2019, arXiv:1908.10530): with r(x) = exp((2x - 1) / (2 z^2)),
 *
 *   A(alpha) = E over x ~ N(0, z^2) of (1 - q + q r(x))^alpha.
 *
 * Neighbouring: add or remove one user; this direction is the larger one (their Theorem 5). Sampling rate q in (0, 1),
 * noise multiplier z > 0, order alpha > 1. For small q, A is 1 plus something tiny, so both ways below compute A - 1 from
 * terms of one sign, without cancellation.
 */
export function logMoment(samplingRate: number, noiseMultiplier: number, order: number): number {
  if (Number.isInteger(order)) return softplus(integerExcess(samplingRate, noiseMultiplier, order));
  const step = Math.min(0.4, 0.4 * noiseMultiplier);
  const numPoints = Math.ceil((order / noiseMultiplier + 2 * reach) / step);
  if (numPoints > 50_000) return interpolated(samplingRate, noiseMultiplier, order);
  return softplus(quadratureExcess({ samplingRate, noiseMultiplier, order, step, numPoints }));
}

/** The Gaussian weight beyond this many standard deviations is below 1e-21. */
const reach = 10;

/**
 * ln(A - 1) at an integer order: the binomial sum over k, less the same sum without noise terms, which is 1. Terms with
 * k < 2 vanish.
 */
function integerExcess(samplingRate: number, noiseMultiplier: number, order: number): number {
  const logHit = Math.log(samplingRate);
  const logMiss = Math.log1p(-samplingRate);
  const terms: number[] = [];
  let logBinomial = Math.log(order);
  for (let k = 2; k <= order; k++) {
    logBinomial += Math.log((order - k + 1) / k);
    const exponent = (k * k - k) / 2 / noiseMultiplier / noiseMultiplier;
    terms.push(logBinomial + (order - k) * logMiss + k * logHit + logExpm1(exponent));
  }
  return logSumExp(terms);
}

interface Quadrature {
  readonly samplingRate: number;
  readonly noiseMultiplier: number;
  readonly order: number;
  readonly step: number;
  readonly numPoints: number;
}

/**
 * ln(A - 1) at any order, by the trapezoidal rule. With y = q (r - 1), E[y] = 0, so A - 1 = E[(1 + y)^alpha - 1 - alpha y],
 * whose integrand is never negative. In units of z it is analytic within pi * z of the real axis, so the rule's error
 * falls like exp(-2 pi^2 z / step) (Trefethen and Weideman 2014): below 1e-14 here. The signed series of the paper's
 * section 3.3 gives the same numbers, but needs thousands of terms at small orders; it is the tests' oracle.
 */
function quadratureExcess(rule: Quadrature): number {
  const { samplingRate, noiseMultiplier, order, step, numPoints } = rule;
  const terms: number[] = [];
  for (let i = 0; i <= numPoints; i++) {
    const t = -reach + i * step;
    const logRatio = (t - 0.5 / noiseMultiplier) / noiseMultiplier;
    terms.push(logIntegrand(order, samplingRate, logRatio) - (t * t) / 2);
  }
  return logSumExp(terms) + Math.log(step / Math.sqrt(2 * Math.PI));
}

/** ln((1 + y)^alpha - 1 - alpha y) with y = q (r - 1), given ln r. */
function logIntegrand(order: number, samplingRate: number, logRatio: number): number {
  const logHit = Math.log(samplingRate) + logRatio;
  if (logHit > 600) return order * logHit + Math.log1p(-order * Math.exp((1 - order) * logHit));
  const y = logRatio > 1 ? Math.exp(logHit) - samplingRate : samplingRate * Math.expm1(logRatio);
  if (Math.abs(order * y) < 0.01) return Math.log(binomialTail(order, y));
  const logPower = order * Math.log1p(y);
  if (logPower > 30) return logPower + Math.log1p(-(1 + order * y) * Math.exp(-logPower));
  return Math.log(Math.expm1(logPower) - order * y);
}

/** (1 + y)^alpha - 1 - alpha y by its power series; the terms left out are below 1e-15 of it for |alpha y| < 0.01. */
function binomialTail(order: number, y: number): number {
  let term = order * y;
  let sum = 0;
  for (let k = 2; k <= 9; k++) {
    term *= ((order - k + 1) / k) * y;
    sum += term;
  }
  return sum;
}

/**
 * Upper bound between the neighbouring integer orders, where the quadrature would need too many points (z under about
 * 0.02, where nothing is protected in any case): ln A is convex in alpha, and 0 at alpha = 1.
 */
function interpolated(samplingRate: number, noiseMultiplier: number, order: number): number {
  const below = Math.floor(order);
  const weight = order - below;
  const left = below === 1 ? 0 : logMoment(samplingRate, noiseMultiplier, below);
  return (1 - weight) * left + weight * logMoment(samplingRate, noiseMultiplier, below + 1);
}

function logSumExp(terms: readonly number[]): number {
  const largest = terms.reduce((a, b) => Math.max(a, b), -Infinity);
  if (!Number.isFinite(largest)) return largest;
  return largest + Math.log(terms.reduce((sum, term) => sum + Math.exp(term - largest), 0));
}

/** ln(e^x - 1) for x > 0, without overflow. */
function logExpm1(x: number): number {
  return x > 1 ? x + Math.log1p(-Math.exp(-x)) : Math.log(Math.expm1(x));
}

/** ln(1 + e^x), without overflow and without losing a small e^x. */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}
