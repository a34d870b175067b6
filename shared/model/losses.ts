import type { Scalar, Tensor } from '@tensorflow/tfjs';
import { assertNever } from '../errors.ts';
import type { Tf } from './backend.ts';
import type { Objective, RelaxLoss, SoftTargets } from './objective.ts';

/** The logits and labels of one step, as tensors. */
export interface LogitTensors {
  /** Shape (numRecords, numClasses); for a sigmoid output the pairs (0, z). */
  readonly logits: Tensor;
  /** Shape (numRecords, numClasses), one-hot; for mixed records the mixtures, which only soft targets take. */
  readonly labels: Tensor;
}

/**
 * A step's objective, the mean over its records, differentiable by tfjs. Branches on the value of the loss are taken on
 * the host, where the loss of the same forward pass is read back.
 */
export function objectiveValue(tf: Tf, batch: LogitTensors, objective: Objective): Scalar {
  const logProbabilities = tf.logSoftmax(batch.logits);
  const crossEntropy = tf.neg(tf.sum(tf.mul(batch.labels, logProbabilities), 1));
  const loss = tf.mean(crossEntropy).asScalar();
  switch (objective.type) {
    case 'cross-entropy':
      return loss;
    case 'relaxloss': {
      const { phase, settings } = objective;
      const value = loss.dataSync().at(0) ?? NaN;
      if (phase === 'approach')
        return tf.mul(Math.sign(value - settings.alpha), tf.sub(loss, settings.alpha));
      if (value > settings.alpha) return loss;
      return flatten(tf, { ...batch, logProbabilities, crossEntropy }, settings);
    }
    case 'soft-targets':
      return softTargets(tf, batch.labels, logProbabilities, objective);
    default:
      return assertNever(objective);
  }
}

/** Logit pairs (0, z) of a sigmoid output: shape (numRecords, 1) to (numRecords, 2). */
export function logitPairs(tf: Tf, logits: Tensor): Tensor {
  return tf.concat([tf.zerosLike(logits), logits], 1);
}

/** As `softTargetGradient` by hand; the target is linear in the label, so mixtures of labels make mixtures of targets. */
function softTargets(tf: Tf, labels: Tensor, logProbabilities: Tensor, objective: SoftTargets): Scalar {
  const { trueShare, entropyWeight, targetEntropy } = objective;
  const other = (1 - trueShare) / ((labels.shape.at(-1) ?? 2) - 1);
  const target = tf.add(tf.mul(labels, trueShare - other), other);
  const weighed = tf.sub(tf.mul(tf.exp(logProbabilities), entropyWeight), target);
  return tf.sub(tf.mean(tf.sum(tf.mul(weighed, logProbabilities), 1)), targetEntropy).asScalar();
}

interface Flattened extends LogitTensors {
  readonly logProbabilities: Tensor;
  /** Shape (numRecords,). */
  readonly crossEntropy: Tensor;
}

/** Posterior flattening: see `logitGradient`, which does the same by hand. */
function flatten(tf: Tf, batch: Flattened, settings: RelaxLoss): Scalar {
  const { logits, labels, logProbabilities, crossEntropy } = batch;
  const numClasses = logits.shape.at(-1) ?? 1;
  const clamped = tf.clipByValue(tf.exp(tf.neg(crossEntropy)), 0, settings.upper);
  const target = settings.detachTargets ? detached(tf, clamped) : clamped;
  const others = tf.sum(tf.mul(tf.sub(1, labels), logProbabilities), 1);
  const spread = tf.div(tf.sub(1, target), numClasses - 1);
  const soft = tf.sub(tf.mul(target, crossEntropy), tf.mul(spread, others));
  if (settings.variant === 'tabular') return tf.mean(soft).asScalar();
  const isWrong = tf.cast(tf.notEqual(tf.argMax(detached(tf, logits), 1), tf.argMax(labels, 1)), 'float32');
  return tf.mean(tf.sub(tf.mul(isWrong, soft), crossEntropy)).asScalar();
}

/** tfjs has no stop-gradient, and no derivative to pass over for comparisons; a copy through the host leaves the tape. */
function detached(tf: Tf, tensor: Tensor): Tensor {
  return tf.tensor(tensor.dataSync(), tensor.shape);
}
