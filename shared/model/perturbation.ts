import { standardNormals } from '../random/gaussian.ts';
import { type Rng, takeWords } from '../random/rng.ts';
import { openUniform, shuffled } from '../random/sample.ts';
import { type Defence, defencesIn, type SingleDefence } from './defence.ts';
import type { Mixed } from './logit-batch.ts';
import type { StepInput } from './step-records.ts';

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

/** What a defence changes in steps, apart from the objective. */
export interface Changes {
  /** The records: their features, and with `mixed` their classes. */
  readonly features: boolean;
  readonly mixed: boolean;
  /** The inputs of the output layer: what they are multiplied with, and what is added. */
  readonly mask: boolean;
  readonly noise: boolean;
}

/** What `perturber` would change; undefined for a defence that it leaves alone. */
export function changesOf(defence: Defence): Changes | undefined {
  const has = (type: SingleDefence['type']): boolean =>
    defencesIn(defence).some((part) => part.type === type);
  const [mixed, mask, noise] = [has('mixup'), has('dropout'), has('representation-noise')];
  const features = mixed || has('input-noise');
  return features || mask || noise ? { features, mixed, mask, noise } : undefined;
}

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
  const mixupRng = mixup && own.fork('mixup');
  const noiseRng = noise && own.fork('input noise');
  const dropoutRng = dropout && own.fork('dropout');
  const deepRng = deep && own.fork('representation noise');
  return (step) => {
    const mix = mixupRng ? mixRecords(step, mixup.concentration, mixupRng) : { ...step, mixed: undefined };
    const features = noiseRng ? withNoise(mix.features, noise.stdDev, noiseRng) : mix.features;
    const maskSize = step.labels.length * numOutputInputs;
    return {
      ...mix,
      features,
      noise: deepRng && withNoise(new Float32Array(maskSize), deep.stdDev, deepRng),
      mask: dropoutRng && dropoutMask(maskSize, dropout.rate, dropoutRng),
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
  const mixed = new Float32Array(features.length);
  for (const [row, partner] of order.entries()) {
    const [own, other] = [row * numFeatures, partner * numFeatures];
    for (let i = 0; i < numFeatures; i++)
      mixed[own + i] = share * (features[own + i] ?? 0) + (1 - share) * (features[other + i] ?? 0);
  }
  return { features: mixed, labels, mixed: { partners: order.map((row) => labels[row] ?? 0), share } };
}

function withNoise(values: Float32Array, stdDev: number, rng: Rng): Float32Array {
  const noise = standardNormals(rng, values.length);
  return values.map((value, i) => value + stdDev * (noise[i] ?? 0));
}

/** Independent factors: 0 with probability `rate` to the nearest multiple of 2^-32, else 1 / (1 - rate), so that the mean is 1. */
function dropoutMask(size: number, rate: number, rng: Rng): Float32Array {
  const words = new Uint32Array(size);
  takeWords(rng, words);
  const mask = new Float32Array(size);
  const [bound, kept] = [rate * 2 ** 32, 1 / (1 - rate)];
  for (let i = 0; i < size; i++) mask[i] = (words[i] ?? 0) < bound ? 0 : kept;
  return mask;
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
