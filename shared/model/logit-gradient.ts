import { assertNever } from '../errors.ts';
import { logSumExp } from './log-sum-exp.ts';
import type { LogitBatch } from './logit-batch.ts';
import type { Objective, RelaxLoss } from './objective.ts';
import { softTargetGradient } from './soft-targets.ts';

/**
 * Value of a step's objective, the mean over its records; its derivative by the logits, shape (numRecords, numClasses),
 * is written to `out`. By hand, for the providers without automatic differentiation.
 */
export function logitGradient(batch: LogitBatch, objective: Objective, out: Float32Array): number {
  switch (objective.type) {
    case 'cross-entropy':
      return crossEntropy(batch, out);
    case 'relaxloss':
      return relaxLoss(batch, objective.phase, objective.settings, out);
    case 'soft-targets':
      return softTargetGradient(batch, objective, out);
    default:
      return assertNever(objective);
  }
}

function relaxLoss(
  batch: LogitBatch,
  phase: 'approach' | 'flatten',
  settings: RelaxLoss,
  out: Float32Array,
): number {
  const loss = crossEntropy(batch, out);
  if (phase === 'flatten') return loss > settings.alpha ? loss : flatten(batch, settings, out);
  const sign = Math.sign(loss - settings.alpha);
  for (let i = 0; i < batch.numRecords * batch.numClasses; i++) out[i] = sign * (out[i] ?? 0);
  return Math.abs(loss - settings.alpha);
}

/** Mean of -log p_y; derivative (p - onehot(y)) / numRecords. */
function crossEntropy(batch: LogitBatch, out: Float32Array): number {
  const { logits, labels, numRecords, numClasses } = batch;
  let sum = 0;
  for (let row = 0; row < numRecords; row++) {
    const start = row * numClasses;
    const end = start + numClasses;
    const label = start + (labels[row] ?? 0);
    const logNormalizer = logSumExp(logits, start, end);
    sum += logNormalizer - (logits[label] ?? NaN);
    for (let i = start; i < end; i++) {
      const probability = Math.exp((logits[i] ?? 0) - logNormalizer);
      out[i] = (i === label ? probability - 1 : probability) / numRecords;
    }
  }
  return sum / numRecords;
}

/**
 * Posterior flattening. With t = min(p_y, upper) the soft target is t for the true class and (1 - t) / (numClasses - 1) for
 * each other; S = -sum soft log p. tabular: mean S. cifar: mean of S where the record is misclassified, minus the
 * cross-entropy everywhere. Unless targets are detached, the derivative also flows through t (below `upper` only).
 */
function flatten(batch: LogitBatch, settings: RelaxLoss, out: Float32Array): number {
  let sum = 0;
  for (let row = 0; row < batch.numRecords; row++) sum += flattenRecord(batch, row, settings, out);
  return sum / batch.numRecords;
}

function flattenRecord(batch: LogitBatch, row: number, settings: RelaxLoss, out: Float32Array): number {
  const { logits, labels, numRecords, numClasses } = batch;
  const start = row * numClasses;
  const end = start + numClasses;
  const label = start + (labels[row] ?? 0);
  const logNormalizer = logSumExp(logits, start, end);
  const logTrue = (logits[label] ?? NaN) - logNormalizer;
  const pTrue = Math.exp(logTrue);
  const target = Math.min(pTrue, settings.upper);
  const other = (1 - target) / (numClasses - 1);
  const sumLogOthers = sumBut(logits, start, end, label) - (numClasses - 1) * logNormalizer;
  const { softWeight, hardWeight } = weightsOf(settings, () => isLargest(logits, start, end, label));
  const isThroughTarget = !settings.detachTargets && pTrue <= settings.upper;
  const slope = isThroughTarget ? pTrue * (sumLogOthers / (numClasses - 1) - logTrue) : 0;
  for (let i = start; i < end; i++) {
    const probability = Math.exp((logits[i] ?? 0) - logNormalizer);
    const hard = i === label ? probability - 1 : probability;
    const soft = probability - (i === label ? target : other) - slope * hard;
    out[i] = (softWeight * soft - hardWeight * hard) / numRecords;
  }
  return softWeight * (-target * logTrue - other * sumLogOthers) + hardWeight * logTrue;
}

/** How much of the soft cross-entropy is added and of the cross-entropy taken away. */
function weightsOf(
  settings: RelaxLoss,
  isCorrect: () => boolean,
): { readonly softWeight: number; readonly hardWeight: number } {
  if (settings.variant === 'tabular') return { softWeight: 1, hardWeight: 0 };
  return { softWeight: isCorrect() ? 0 : 1, hardWeight: 1 };
}

function sumBut(values: Float32Array, start: number, end: number, left: number): number {
  let sum = 0;
  for (let i = start; i < end; i++) if (i !== left) sum += values[i] ?? NaN;
  return sum;
}

/** Whether `label` is the first largest of its row. */
function isLargest(logits: Float32Array, start: number, end: number, label: number): boolean {
  const value = logits[label] ?? NaN;
  for (let i = start; i < end; i++) {
    const rival = logits[i] ?? NaN;
    if (rival > value || (rival === value && i < label)) return false;
  }
  return true;
}
