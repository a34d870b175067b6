import { logSumExp } from './log-sum-exp.ts';
import type { LogitBatch } from './logit-batch.ts';
import type { SoftTargets } from './objective.ts';

/**
 * Value of the objective; writes its derivative by the logits to `out`, shape (numRecords, numClasses). With T the target,
 * H the entropy of p and w its weight: (p - T + w p (log p + H)) / numRecords. The target of a mixed record is the mixture of
 * the targets of its two classes.
 */
export function softTargetGradient(batch: LogitBatch, objective: SoftTargets, out: Float32Array): number {
  let sum = 0;
  for (let row = 0; row < batch.numRecords; row++) sum += recordGradient(batch, row, objective, out);
  return sum / batch.numRecords - objective.targetEntropy;
}

function recordGradient(batch: LogitBatch, row: number, objective: SoftTargets, out: Float32Array): number {
  const { logits, numRecords, numClasses } = batch;
  const { entropyWeight } = objective;
  const targetOf = targetOfRecord(batch, row, objective);
  const start = row * numClasses;
  const logNormalizer = logSumExp(logits, start, start + numClasses);
  let entropy = 0;
  let crossEntropy = 0;
  for (let j = 0; j < numClasses; j++) {
    const logProbability = (logits[start + j] ?? NaN) - logNormalizer;
    entropy -= Math.exp(logProbability) * logProbability;
    crossEntropy -= targetOf(j) * logProbability;
  }
  for (let j = 0; j < numClasses; j++) {
    const logProbability = (logits[start + j] ?? NaN) - logNormalizer;
    const probability = Math.exp(logProbability);
    const slope = probability - targetOf(j) + entropyWeight * probability * (logProbability + entropy);
    out[start + j] = slope / numRecords;
  }
  return crossEntropy - entropyWeight * entropy;
}

function targetOfRecord(
  { labels, numClasses, mixed }: LogitBatch,
  row: number,
  { trueShare }: SoftTargets,
): (j: number) => number {
  const label = labels[row] ?? 0;
  const partner = mixed?.partners[row] ?? label;
  const share = mixed?.share ?? 1;
  const other = (1 - trueShare) / (numClasses - 1);
  const gain = trueShare - other;
  return (j) => other + (j === label ? share * gain : 0) + (j === partner ? (1 - share) * gain : 0);
}
