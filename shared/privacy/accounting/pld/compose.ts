import { type Composition, cumulantsAt, type Window } from './cumulants.ts';
import { fftError, type Spectrum, spectrumOf, valuesOf } from './fft.ts';

/**
 * The composed loss on a window of the grid, tilted: the probability of loss offset + (first + j) * step is
 * exp(log - tilt * loss) * mass[j], up to `error` in each mass and to `outside` in their sum.
 */
export interface ComposedLoss {
  readonly step: number;
  /** Where the grid's 0 lies, nats. */
  readonly offset: number;
  /** Index of the first loss. */
  readonly first: number;
  readonly tilt: number;
  readonly log: number;
  /** Tilted probabilities, shape (a power of two,); rounding may make them negative. */
  readonly mass: Float64Array;
  readonly error: number;
  readonly outside: number;
}

/** Tilted masses and powers below exp of this are left out, and counted as errors. */
const negligible = -90;

function leftOut(parts: Composition['parts']): number {
  return (
    parts.reduce((total, { pair, count }) => total + count * pair.logMass.length, 0) * Math.exp(negligible)
  );
}

/** Points of a transform for this window. */
function windowPoints({ from, to }: Window, step: number): number {
  return 2 ** Math.max(4, Math.ceil(Math.log2((to - from) / step + 2)));
}

/**
 * Compose by fast Fourier transform under an exponential tilt: the tilted masses are convolved instead of the masses, which
 * puts the point of interest in the middle, so that rounding and wrap-around are relative to Chernoff's bound of delta and
 * not to 1. What lies outside the window wraps around into it.
 */
export function composed(composition: Composition, tilt: number, window: Window): ComposedLoss {
  const { step, parts } = composition;
  const points = windowPoints(window, step);
  const first = Math.floor(window.from / step);
  const product = emptyProduct(points);
  for (const { pair, count } of parts) multiply(product, tiltedSpectrum({ pair, step, tilt, points }), count);
  const numReleases = parts.reduce((total, { count }) => total + count, 0);
  const offset = parts.reduce((total, { pair, count }) => total + count * pair.offset, 0);
  const { mass, error } = inverse(product, points, numReleases);
  return {
    ...{ step, offset, first, tilt, mass: rotated(mass, first), error },
    outside: window.outside + leftOut(parts),
    log: cumulantsAt(composition, tilt).log + tilt * offset,
  };
}

/** A product of powers of spectra, frequencies 0 .. points / 2: the others are their conjugates, since masses are real. */
interface Product {
  /** ln of the size; -Infinity where it is left out. */
  readonly log: Float64Array;
  readonly angle: Float64Array;
  /** ln of an upper bound on the exact size. */
  readonly bound: Float64Array;
}

function emptyProduct(points: number): Product {
  const numbers = (): Float64Array => new Float64Array(points / 2 + 1);
  return { log: numbers(), angle: numbers(), bound: numbers() };
}

function multiply({ log, angle, bound }: Product, { re, im }: Spectrum, count: number): void {
  const error = fftError(2 * (re.length - 1));
  for (let k = 0; k < log.length; k++) {
    const x = re[k] ?? 0;
    const y = im[k] ?? 0;
    const size = Math.sqrt(x * x + y * y);
    const largest = (bound[k] ?? 0) + count * Math.log(size + error);
    bound[k] = largest;
    // Most frequencies of many releases vanish.
    if (largest < negligible || log[k] === -Infinity) {
      log[k] = -Infinity;
      continue;
    }
    log[k] = (log[k] ?? 0) + count * Math.log(size);
    angle[k] = (angle[k] ?? 0) + count * Math.atan2(y, x);
  }
}

interface Tilted {
  readonly pair: Composition['parts'][number]['pair'];
  readonly step: number;
  readonly tilt: number;
  readonly points: number;
}

/** Transform of one release's tilted masses, which add up to 1, wrapped around into the window. */
function tiltedSpectrum({ pair, step, tilt, points }: Tilted): Spectrum {
  const { first, logMass } = pair;
  const { log } = cumulantsAt({ step, parts: [{ pair, count: 1 }] }, tilt);
  const wrapped = new Float64Array(points);
  for (let j = 0; j < logMass.length; j++) {
    const index = first + j;
    const exponent = (logMass[j] ?? 0) + tilt * index * step - log;
    if (exponent < negligible) continue;
    const place = ((index % points) + points) % points;
    wrapped[place] = (wrapped[place] ?? 0) + Math.exp(exponent);
  }
  return spectrumOf(wrapped);
}

/**
 * Back to masses, and a bound on each one's rounding error: the spectrum's own (its exact power is within exp(bound) -
 * exp(log) of the computed one), that of powers and angles, and that of this transform.
 */
function inverse(
  { log, angle, bound }: Product,
  points: number,
  numReleases: number,
): { mass: Float64Array; error: number } {
  const powerError = 16 * 2 ** -53 * (numReleases + 1);
  const re = new Float64Array(points / 2 + 1);
  const im = new Float64Array(points / 2 + 1);
  let [size, error] = [0, 0];
  for (let k = 0; k <= points / 2; k++) {
    const largest = Math.exp(bound[k] ?? 0);
    if (log[k] === -Infinity) {
      error += 2 * largest;
      continue;
    }
    const power = Math.exp(log[k] ?? 0);
    size += 2 * power;
    error += 2 * (largest - power + powerError * largest);
    re[k] = power * Math.cos(angle[k] ?? 0);
    im[k] = power * Math.sin(angle[k] ?? 0);
  }
  const mass = valuesOf({ re, im });
  for (let j = 0; j < points; j++) mass[j] = (mass[j] ?? 0) / points;
  return { mass, error: (error + fftError(points) * size) / points };
}

/** Masses in the order of their losses, from that of index `first` on. */
function rotated(mass: Float64Array, first: number): Float64Array {
  const points = mass.length;
  const start = ((first % points) + points) % points;
  const ordered = new Float64Array(points);
  ordered.set(mass.subarray(start));
  ordered.set(mass.subarray(0, start), points - start);
  return ordered;
}
