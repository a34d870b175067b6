import type { Tf } from '../../../shared/model/backend.ts';
import type { Mixed } from '../../../shared/model/logit-batch.ts';
import { logitGradient } from '../../../shared/model/logit-gradient.ts';
import { objectiveValue } from '../../../shared/model/losses.ts';
import type { Objective } from '../../../shared/model/objective.ts';

/** An objective's value and its derivative by the logits, row-major. */
export interface Outcome {
  readonly loss: number;
  readonly gradient: readonly number[];
}

/** One of the two ways to evaluate an objective. */
export type Evaluate = (
  logits: readonly number[],
  labels: readonly number[],
  objective: Objective,
  mixed?: Mixed,
) => Outcome;

/** The way of the providers without automatic differentiation. */
export const byHand: Evaluate = (values, classes, objective, mixed) => {
  const numRecords = classes.length;
  const numClasses = values.length / numRecords;
  const out = new Float32Array(values.length);
  const batch = {
    logits: Float32Array.from(values),
    labels: Int32Array.from(classes),
    numRecords,
    numClasses,
  };
  const loss = logitGradient({ ...batch, mixed }, objective, out);
  return { loss, gradient: [...out] };
};

/** The way of the general provider. */
export function tensorEvaluation(tf: Tf): Evaluate {
  return (values, classes, objective, mixed) => {
    const numClasses = values.length / classes.length;
    const oneHot = (indices: Iterable<number>) =>
      tf.oneHot(tf.tensor1d([...indices], 'int32'), numClasses).toFloat();
    return tf.tidy(() => {
      const share = mixed?.share ?? 1;
      const labels = oneHot(classes)
        .mul(share)
        .add(oneHot(mixed?.partners ?? classes).mul(1 - share));
      const loss = (logits: ReturnType<Tf['tensor']>) => objectiveValue(tf, { logits, labels }, objective);
      const { value, grad } = tf.valueAndGrad(loss)(tf.tensor2d([...values], [classes.length, numClasses]));
      return { loss: value.dataSync()[0]!, gradient: [...grad.dataSync()] };
    });
  };
}
