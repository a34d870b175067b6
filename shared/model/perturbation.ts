import { standardNormals } from '../random/gaussian.ts';
import type { Rng } from '../random/rng.ts';
import { openUniform, shuffled } from '../random/sample.ts';
import { type Defence, defencesIn } from './defence.ts';
import type { Mixed } from './logit-batch.ts';

/** The records of one step, all of one user. */
export interface StepInput {
  /** Shape (numRecords, numFeatures). */
  readonly features: Float32Array;
  /** Shape (numRecords,). */
  readonly labels: Int32Array;
}

/** What a step trains on instead of the records. */
export interface PerturbedStep extends StepInput {
  readonly mixed: Mixed | undefined;
  /** What the inputs of the output layer are multiplied with, shape (numRecords, numInputs); undefined: nothing. */
  readonly mask: Float32Array | undefined;
  /** What is added to the inputs of the output layer before that, the same shape; undefined: nothing. */
  readonly noise: Float32Array | undefined;
}

/** Changes one step's records after another; keeps its place in the user's stream. */
export type Perturb = (step: StepInput) => PerturbedStep;

/**
 * The random changes that a defence makes to one user's steps: mixes records, adds noise to the features, adds noise to the inputs of
 * the output layer (`numOutputInputs` of them), drops some of these, in this order. Undefined for a defence without any. Everything is drawn from `rng`, the
 * user's own stream, so a user's update stays a function of her own records and stream.
 */
export function perturber(defence: Defence, numOutputInputs: number, rng: () => Rng): Perturb | undefined {
  const parts = defencesIn(defence);
  const mixup = parts.find((part) => part.type === 'mixup');
  const noise = parts.find((part) => part.type === 'input-noise');
  const dropout = parts.find((part) => part.type === 'dropout');
  const deep = parts.find((part) => part.type === 'representation-noise');
  if (!mixup && !noise && !dropout && !deep) return undefined;
  const own = rng();
  const [mixupRng, noiseRng, dropoutRng] = [own.fork('mixup'), own.fork('input noise'), own.fork('dropout')];
  const deepRng = own.fork('representation noise');
  return (step) => {
    const mix = mixup ? mixRecords(step, mixup.concentration, mixupRng) : { ...step, mixed: undefined };
    const features = noise ? withNoise(mix.features, noise.stdDev, noiseRng) : mix.features;
    const maskSize = step.labels.length * numOutputInputs;
    return {
      ...mix,
      features,
      noise: deep && withNoise(new Float32Array(maskSize), deep.stdDev, deepRng),
      mask: dropout && dropoutMask(maskSize, dropout.rate, dropoutRng),
    };
  };
}

/** Each record with a random other one of the step (or itself), all in the same proportion. */
function mixRecords(
  { features, labels }: StepInput,
  concentration: number,
  rng: Rng,
): StepInput & { readonly mixed: Mixed } {
  const numFeatures = features.length / labels.length;
  const share = symmetricBeta(rng, concentration);
  const order = shuffled(rng, labels.length);
  const mixed = features.map((value, i) => {
    const row = Math.floor(i / numFeatures);
    const partner = features[(order[row] ?? 0) * numFeatures + (i % numFeatures)] ?? 0;
    return share * value + (1 - share) * partner;
  });
  return { features: mixed, labels, mixed: { partners: order.map((row) => labels[row] ?? 0), share } };
}

function withNoise(values: Float32Array, stdDev: number, rng: Rng): Float32Array {
  const noise = standardNormals(rng, values.length);
  return values.map((value, i) => value + stdDev * (noise[i] ?? 0));
}

/** Independent factors: 0 with probability `rate`, else 1 / (1 - rate), so that the mean is 1. */
function dropoutMask(size: number, rate: number, rng: Rng): Float32Array {
  return Float32Array.from({ length: size }, () => (rng.uniform() < rate ? 0 : 1 / (1 - rate)));
}

/**
 * One number of the law Beta(a, a), a in [0.05, 1]: u^(1/a) over the sum of two such, kept where the sum is at most 1
 * (Joehnk 1964). The powers stay above the smallest float64, since a uniform number is hardly ever below 2^-50.
 */
export function symmetricBeta(rng: Rng, a: number): number {
  for (;;) {
    const one = openUniform(rng) ** (1 / a);
    const other = openUniform(rng) ** (1 / a);
    if (one + other <= 1 && one + other > 0) return one / (one + other);
  }
}
