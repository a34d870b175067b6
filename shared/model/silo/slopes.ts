import { logSumExp } from '../log-sum-exp.ts';
import { logitGradient } from '../logit-gradient.ts';
import type { Objective } from '../objective.ts';
import type { Slope } from './engine.ts';

/** Mean of an objective on labels over a step's records, as for one user's step. */
export function labelSlope(labels: Int32Array, numClasses: number, objective: Objective): Slope {
  return (logits, out) =>
    logitGradient({ logits, labels, numRecords: labels.length, numClasses }, objective, out);
}

/** Softmax of every row over `temperature`, shape (numRecords, numClasses). */
export function probabilities(logits: Float32Array, numClasses: number, temperature = 1): Float32Array {
  const softened = temperature === 1 ? logits : logits.map((value) => value / temperature);
  const result = new Float32Array(logits.length);
  for (let start = 0; start < logits.length; start += numClasses) {
    const normalizer = logSumExp(softened, start, start + numClasses);
    for (let i = start; i < start + numClasses; i++) result[i] = Math.exp((softened[i] ?? NaN) - normalizer);
  }
  return result;
}

/**
 * MIST's pull: `weight` times the mean over records and over `others` of the L1 distance between probabilities. `others` are
 * what the other submodels answer, each shape (numRecords, numClasses), and stay as they are.
 */
export function pullSlope(others: readonly Float32Array[], weight: number, numClasses: number): Slope {
  return (logits, out) => {
    const own = probabilities(logits, numClasses);
    const share = (weight * numClasses) / (own.length * others.length);
    const pull = new Float64Array(own.length);
    let value = 0;
    for (const other of others)
      for (let i = 0; i < own.length; i++) {
        const difference = (own[i] ?? 0) - (other[i] ?? 0);
        value += share * Math.abs(difference);
        pull[i] = (pull[i] ?? 0) + share * Math.sign(difference);
      }
    throughSoftmax(own, pull, numClasses, out);
    return value;
  };
}

/**
 * Distillation: temperature^2 times the mean Kullback-Leibler divergence of the softened answers from `targets`, shape
 * (numRecords, numClasses).
 */
export function distillationSlope(targets: Float32Array, numClasses: number, temperature: number): Slope {
  return (logits, out) => {
    const own = probabilities(logits, numClasses, temperature);
    const numRecords = own.length / numClasses;
    let value = 0;
    for (let i = 0; i < own.length; i++) {
      const target = targets[i] ?? 0;
      if (target > 0) value += target * Math.log(target / (own[i] ?? NaN));
      out[i] = (temperature * ((own[i] ?? NaN) - target)) / numRecords;
    }
    return (temperature ** 2 * value) / numRecords;
  };
}

/** Derivatives by probabilities turned into those by logits: p_c (g_c - sum p g), row by row. */
export function throughSoftmax(
  own: Float32Array,
  slopes: Float64Array,
  numClasses: number,
  out: Float32Array,
): void {
  for (let start = 0; start < own.length; start += numClasses) {
    let mean = 0;
    for (let i = start; i < start + numClasses; i++) mean += (own[i] ?? 0) * (slopes[i] ?? 0);
    for (let i = start; i < start + numClasses; i++) out[i] = (own[i] ?? 0) * ((slopes[i] ?? 0) - mean);
  }
}

/** Adds `weight` times the derivative by logits of what has the derivative `slopes` by probabilities. */
export function addThroughSoftmax(
  own: Float32Array,
  slopes: Float64Array,
  { numClasses, weight }: { readonly numClasses: number; readonly weight: number },
  out: Float32Array,
): void {
  const byLogits = new Float32Array(out.length);
  throughSoftmax(own, slopes, numClasses, byLogits);
  for (let i = 0; i < out.length; i++) out[i] = (out[i] ?? 0) + weight * (byLogits[i] ?? 0);
}
