import type { LossGrid } from './pairs.ts';

/** Releases of one mechanism: its pair on the grid, and how many there are. */
export interface Repeated {
  readonly pair: LossGrid;
  readonly count: number;
}

/** Releases that are composed, on one grid. */
export interface Composition {
  /** Distance of neighbouring losses, nats. */
  readonly step: number;
  readonly parts: readonly Repeated[];
}

/** Cumulants of the total loss, counted from where the grid's 0 lies, under P tilted by exp(tilt * loss). */
export interface Cumulants {
  /** ln E[exp(tilt * loss)], nats. */
  readonly log: number;
  readonly mean: number;
  readonly variance: number;
}

/** At any tilt. Independent losses add up their cumulants. */
export function cumulantsAt({ step, parts }: Composition, tilt: number): Cumulants {
  let [log, mean, variance] = [0, 0, 0];
  for (const { pair, count } of parts) {
    const one = ofOne(pair, step, tilt);
    log += count * one.log;
    mean += count * one.mean;
    variance += count * one.variance;
  }
  return { log, mean, variance };
}

function ofOne({ first, logMass }: LossGrid, step: number, tilt: number): Cumulants {
  const slope = tilt * step;
  let largest = -Infinity;
  for (let j = 0; j < logMass.length; j++) largest = Math.max(largest, (logMass[j] ?? 0) + j * slope);
  let [total, sum, squares] = [0, 0, 0];
  for (let j = 0; j < logMass.length; j++) {
    const exponent = (logMass[j] ?? 0) + j * slope - largest;
    if (exponent < negligible) continue;
    const weight = Math.exp(exponent);
    total += weight;
    sum += weight * j;
    squares += weight * j * j;
  }
  const mean = sum / total;
  return {
    log: largest + first * slope + Math.log(total),
    mean: (first + mean) * step,
    variance: Math.max(0, squares / total - mean * mean) * step * step,
  };
}

/** Below this logarithm a weight changes no sum in float64 by a relative 1e-20. */
const negligible = -60;

const [leastTilt, mostTilt] = [2 ** -20, 2 ** 20];

/**
 * The tilt whose mean is where the tail probability is about `delta`: Chernoff's bound ln delta = log - tilt * mean, solved
 * for tilt. Any tilt gives valid bounds; this one makes rounding errors small beside delta.
 */
export function tiltForDelta(composition: Composition, logDelta: number): number {
  return solved((tilt) => {
    const { log, mean } = cumulantsAt(composition, tilt);
    return log - tilt * mean > logDelta;
  });
}

/** The tilt >= 0 whose mean is `loss`; 0 where the mean is above it without any. */
export function tiltForLoss(composition: Composition, loss: number): number {
  if (cumulantsAt(composition, 0).mean >= loss) return 0;
  return solved((tilt) => cumulantsAt(composition, tilt).mean < loss);
}

/** Where `isTooSmall` changes, to a few percent. */
function solved(isTooSmall: (tilt: number) => boolean): number {
  let [low, high] = [leastTilt, mostTilt];
  while (high / low > 1.05) {
    const middle = Math.sqrt(low * high);
    if (isTooSmall(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/** An interval of total losses, nats from where the grid's 0 lies, and a bound on the tilted probability outside. */
export interface Window {
  readonly from: number;
  readonly to: number;
  readonly outside: number;
}

const outsideEachEnd = 1e-11;

/**
 * An interval that holds all but 2e-11 of the tilted total loss, by Chernoff's bound: for every t > 0,
 * P(loss > mean + w) <= exp(log(tilt + t) - log(tilt) - t (mean + w)).
 */
export function windowOf(composition: Composition, tilt: number): Window {
  const at = cumulantsAt(composition, tilt);
  const deviation = Math.sqrt(at.variance) + composition.step;
  const typical = Math.sqrt(-2 * Math.log(outsideEachEnd)) / deviation;
  const end = (sign: 1 | -1): number =>
    leastOfPowers((factor) => {
      const t = factor * typical;
      const growth = cumulantsAt(composition, tilt + sign * t).log - at.log;
      return (growth - Math.log(outsideEachEnd)) / t;
    });
  const [least, most] = extremes(composition);
  return { from: Math.max(least, -end(-1)), to: Math.min(most, end(1)), outside: 2 * outsideEachEnd };
}

/** The least value seen at 1, 2, 4, ... or 1, 1/2, 1/4, ... while values fall, at most four steps away. */
function leastOfPowers(value: (factor: number) => number): number {
  let least = value(1);
  for (const base of [2, 0.5]) {
    const before = least;
    for (let power = 1; power <= 4; power++) {
      const next = value(base ** power);
      if (next >= least) break;
      least = next;
    }
    if (least < before) break;
  }
  return least;
}

/** The least and the largest total loss there is. */
function extremes({ step, parts }: Composition): readonly [number, number] {
  let [least, most] = [0, 0];
  for (const { pair, count } of parts) {
    least += count * pair.first * step;
    most += count * (pair.first + pair.logMass.length - 1) * step;
  }
  return [least, most];
}
