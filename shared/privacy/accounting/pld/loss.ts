import type { SampledGaussians } from '../interpret.ts';

/** One release: noise multiplier z > 0 and sampling rate q in (0, 1]. */
export type Mechanism = Pick<SampledGaussians, 'noiseMultiplier' | 'samplingRate'>;

/**
 * Privacy loss in nats of an outcome x = z s, with the user's data against without:
 * L = ln(1 - q + q exp((2x - 1) / (2 z^2))). It rises with s, from ln(1 - q) without bound. Without the user the outcome is
 * N(0, z^2), so s is standard normal; with her it is the mixture with N(1, z^2).
 */
export function lossAt({ noiseMultiplier, samplingRate }: Mechanism, s: number): number {
  const logRatio = (s - 0.5 / noiseMultiplier) / noiseMultiplier;
  if (samplingRate === 1) return logRatio;
  if (logRatio > 30) {
    const logHit = Math.log(samplingRate) + logRatio;
    return logHit + Math.log1p((1 - samplingRate) * Math.exp(-logHit));
  }
  if (samplingRate > 0.5 && logRatio < smallLogRatio)
    return Math.log(1 - samplingRate + samplingRate * Math.exp(logRatio));
  return Math.log1p(samplingRate * Math.expm1(logRatio));
}

/**
 * Below, losses of sampling rates near 1 come from sums of small terms: 1 - q is exact, and what is near -1 after expm1 has lost the
 * digits that tell one outcome from the next.
 */
const smallLogRatio = -1;

/** The outcome s with a given loss; -Infinity at and below the least loss. */
export function outcomeAt({ noiseMultiplier, samplingRate }: Mechanism, loss: number): number {
  return logRatioAt(samplingRate, loss) * noiseMultiplier + 0.5 / noiseMultiplier;
}

function logRatioAt(samplingRate: number, loss: number): number {
  if (samplingRate === 1) return loss;
  if (loss > 30) return loss - Math.log(samplingRate) + Math.log1p((samplingRate - 1) * Math.exp(-loss));
  if (loss < smallLoss) return Math.log(Math.max(0, Math.exp(loss) - (1 - samplingRate)) / samplingRate);
  return Math.log1p(Math.max(-1, Math.expm1(loss) / samplingRate));
}

/** Only sampling rates above a half have losses below; see {@link smallLogRatio}. */
const smallLoss = -0.7;

/** Integrals over an interval of outcomes. */
export interface Cell {
  /** ln of the factor that both integrals are to be multiplied with. */
  readonly logScale: number;
  /** Probability of the interval without the user, over the factor. */
  readonly without: number;
  /** The same integral of exp(L - loss) - 1, where `loss` is the reference loss. */
  readonly excess: number;
}

/**
 * Gauss-Legendre rules on [-1, 1]. Four nodes on intervals up to 0.02 and eight on ones up to 1/4 are exact to 1e-14 for
 * everything within 14 standard deviations: the error terms are below width^8 * 6e-10 * s^8 and width^16 * 2e-23 * s^16.
 */
const fourNodes: readonly (readonly [node: number, weight: number])[] = [
  [0.3399810435848563, 0.6521451548625461],
  [0.8611363115940526, 0.3478548451374538],
];
const eightNodes: readonly (readonly [node: number, weight: number])[] = [
  [0.1834346424956498, 0.362683783378362],
  [0.525532409916329, 0.3137066458778873],
  [0.7966664774136267, 0.2223810344533745],
  [0.9602898564975363, 0.1012285362903763],
];

/**
 * Integrals over outcomes from `from` to `to`, in standard deviations. Taking exp(L - loss) - 1 inside the integral spares
 * the difference of two nearly equal probabilities.
 */
export function integrated(mechanism: Mechanism, from: number, to: number, loss: number): Cell {
  const numParts = Math.max(1, Math.ceil((to - from) / 0.25));
  const halfWidth = (to - from) / numParts / 2;
  const nodes = halfWidth <= 0.01 ? fourNodes : eightNodes;
  // The largest density in the interval, so that nothing underflows however far out it lies.
  const nearest = Math.max(from, Math.min(to, 0));
  const excessAt = excessRatio(mechanism, loss);
  let without = 0;
  let excess = 0;
  for (let part = 0; part < numParts; part++) {
    const centre = from + (2 * part + 1) * halfWidth;
    for (const [node, weight] of nodes) {
      for (const s of [centre - node * halfWidth, centre + node * halfWidth]) {
        const mass = weight * Math.exp((nearest - s) * (nearest + s) * 0.5);
        without += mass;
        excess += mass * excessAt(s);
      }
    }
  }
  const logScale = Math.log(halfWidth / Math.sqrt(2 * Math.PI)) - (nearest * nearest) / 2;
  return { logScale, without, excess };
}

/**
 * exp(L - loss) - 1 of an outcome, as exp(-loss) times the difference of q (r - 1) and exp(loss) - 1, which is as exact as the
 * difference of the losses and spares a logarithm; of large losses only those can be had.
 */
function excessRatio(mechanism: Mechanism, loss: number): (s: number) => number {
  const { noiseMultiplier, samplingRate } = mechanism;
  if (samplingRate === 1 || Math.abs(loss) > 30) return (s) => Math.expm1(lossAt(mechanism, s) - loss);
  const factor = Math.exp(-loss);
  const logRatioOf = (s: number): number => (s - 0.5 / noiseMultiplier) / noiseMultiplier;
  if (loss < smallLoss) {
    const least = (1 - samplingRate) * factor;
    return (s) => samplingRate * Math.exp(logRatioOf(s) - loss) + least - 1;
  }
  const offset = Math.expm1(loss);
  return (s) => (samplingRate * Math.expm1(logRatioOf(s)) - offset) * factor;
}
