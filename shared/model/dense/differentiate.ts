import type { DenseLayer } from '../dense-layers.ts';
import { type Rows, rowBytes } from '../kernels/arena.ts';
import { logitGradient } from '../logit-gradient.ts';
import { type Objective, objectiveOf } from '../objective.ts';
import { type GroupStep, startOf } from './form.ts';
import type { Machine } from './layers.ts';
import type { RoundWork } from './work.ts';

/** The output layer: logits in, derivative of the objective by them out. */
interface Top {
  readonly layer: DenseLayer;
  readonly output: Rows;
  readonly gradient: Rows;
}

/** Differentiates a step's objective, each user's over her own rows. `labels` are those of the group's records. */
export function differentiator(
  { arena, round }: Machine & { readonly round: Pick<RoundWork, 'plan' | 'round'> },
  labels: Int32Array,
): (step: GroupStep, epoch: number, top: Top) => void {
  return (step, epoch, { layer, output, gradient }) => {
    const numClasses = Math.max(2, layer.units);
    const objective = objectiveOf(round.plan.defence, { round: round.round, epoch, numClasses });
    const stride = rowBytes(layer.units) / 4;
    const logits = arena.floats(output.at, step.numRows * stride);
    const pairs = compact(logits, step.numRows, layer.units, stride);
    const stepLabels =
      step.picked === undefined ? labels : step.picked.records.map((record) => labels[record] ?? 0);
    const derivative = overUsers(pairs, stepLabels, step, objective);
    spread(derivative, arena.floats(gradient.at, step.numRows * stride), layer.units, stride);
  };
}

interface Logits {
  readonly values: Float32Array;
  readonly numClasses: number;
}

/** Logits without padding; of a sigmoid output the pairs (0, z). */
function compact(logits: Float32Array, numRows: number, units: number, stride: number): Logits {
  const numClasses = Math.max(2, units);
  const shift = numClasses - units;
  const values = new Float32Array(numRows * numClasses);
  for (let row = 0; row < numRows; row++) {
    for (let unit = 0; unit < units; unit++)
      values[row * numClasses + shift + unit] = logits[row * stride + unit] ?? 0;
  }
  return { values, numClasses };
}

function overUsers(
  { values, numClasses }: Logits,
  labels: Int32Array,
  { offsets }: GroupStep,
  objective: Objective,
): Logits {
  const out = new Float32Array(values.length);
  for (let user = 0; user + 1 < offsets.length; user++) {
    const [start, end] = [startOf(offsets, user), startOf(offsets, user + 1)];
    const logits = values.subarray(start * numClasses, end * numClasses);
    const batch = { logits, labels: labels.subarray(start, end), numRecords: end - start, numClasses };
    logitGradient(batch, objective, out.subarray(start * numClasses, end * numClasses));
  }
  return { values: out, numClasses };
}

/** The inverse of `compact`; padding stays zero. */
function spread({ values, numClasses }: Logits, to: Float32Array, units: number, stride: number): void {
  const shift = numClasses - units;
  for (let row = 0; row * numClasses < values.length; row++) {
    for (let unit = 0; unit < units; unit++)
      to[row * stride + unit] = values[row * numClasses + shift + unit] ?? 0;
  }
}
