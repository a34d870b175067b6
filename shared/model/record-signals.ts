import type { RecordSignals } from './signals.ts';

/** Class scores of records before the softmax. */
export interface Logits {
  /** Shape (numRecords, numClasses), row-major; for a sigmoid output the pairs (0, z). */
  readonly values: Float64Array;
  /** Integer >= 2. */
  readonly numClasses: number;
}

/**
 * Signals of records from their logits and labels, computed in float64 without ever forming 1 - p, so that none
 * saturates before float32 underflows: with p_y within 1e-40 of 1 a record still has a loss of its own.
 *
 * With m = z_y - logsumexp of the others: loss = log(1 + e^-m). Modified entropy (Song and Mittal, arXiv:2003.10595) =
 * -(1 - p_y) log p_y - sum over j != y of p_j log(1 - p_j).
 */
export function signalsOf({ values, numClasses }: Logits, labels: Int32Array): RecordSignals {
  const numRecords = labels.length;
  const signals = {
    loss: new Float32Array(numRecords),
    margin: new Float32Array(numRecords),
    hinge: new Float32Array(numRecords),
    entropy: new Float32Array(numRecords),
    modifiedEntropy: new Float32Array(numRecords),
  };
  for (const [record, label] of labels.entries()) {
    const logits = values.subarray(record * numClasses, (record + 1) * numClasses);
    const margin = marginOf(logits, label);
    signals.loss[record] = softplus(-margin);
    signals.margin[record] = margin;
    signals.hinge[record] = (logits[label] ?? NaN) - largestOther(logits, label);
    signals.entropy[record] = entropyOf(logits);
    signals.modifiedEntropy[record] = modifiedEntropy(logits, label, margin);
  }
  return signals;
}

/** z_y minus the log-sum-exp of the other logits: the logit of p_y. */
function marginOf(logits: Float64Array, label: number): number {
  const largest = largestOther(logits, label);
  let sum = 0;
  for (let j = 0; j < logits.length; j++) if (j !== label) sum += Math.exp((logits[j] ?? NaN) - largest);
  return (logits[label] ?? NaN) - largest - Math.log(sum);
}

/** The largest logit of a class other than `label`; of all where there is no such class. */
function largestOther(logits: Float64Array, label: number): number {
  let largest = -Infinity;
  for (let j = 0; j < logits.length; j++) if (j !== label) largest = Math.max(largest, logits[j] ?? NaN);
  return largest;
}

/** log of the normaliser minus the mean logit, both relative to the largest one: a sum of non-negative terms. */
function entropyOf(logits: Float64Array): number {
  const largest = largestOther(logits, -1);
  // The largest logit's own term is 1: summed apart, so that log1p keeps what is far below it.
  let [others, weighted, isLargestMet] = [0, 0, false];
  for (let j = 0; j < logits.length; j++) {
    const logit = logits[j] ?? NaN;
    if (logit === largest && !isLargestMet) {
      isLargestMet = true;
      continue;
    }
    const weight = Math.exp(logit - largest);
    others += weight;
    // Of an underflown weight times an infinite difference.
    if (weight > 0) weighted += weight * (largest - logit);
  }
  return Math.log1p(others) + weighted / (1 + others);
}

function modifiedEntropy(logits: Float64Array, label: number, margin: number): number {
  const logNormalizer = (logits[label] ?? NaN) + softplus(-margin);
  // (1 - p_y) * -log p_y, both from the margin.
  let entropy = Math.exp(-softplus(margin)) * softplus(-margin);
  for (let j = 0; j < logits.length; j++) {
    if (j === label) continue;
    const probability = Math.exp((logits[j] ?? NaN) - logNormalizer);
    // Only one class can exceed a half; there 1 - p would cancel.
    const logRest = probability > 0.5 ? -softplus(marginOf(logits, j)) : Math.log1p(-probability);
    entropy -= probability * logRest;
  }
  return entropy;
}

/** log(1 + e^x) without overflow or cancellation. */
function softplus(x: number): number {
  return Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)));
}
