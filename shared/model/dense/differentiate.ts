import type { DenseLayer } from '../dense-layers.ts';
import { type Rows, rowBytes } from '../kernels/arena.ts';
import type { Mixed } from '../logit-batch.ts';
import { logitGradient } from '../logit-gradient.ts';
import { type Objective, objectiveOf } from '../objective.ts';
import { type GroupStep, rowAt, rowsOf, startOf } from './form.ts';
import type { Machine } from './layers.ts';
import type { RoundWork } from './work.ts';

/** The output layer: logits in, derivative of the objective by them out. */
interface Top {
  readonly layer: DenseLayer;
  readonly output: Rows;
  readonly gradient: Rows;
}

/** One step of a group at its output layer. */
interface TopStep extends Machine {
  readonly step: GroupStep;
  readonly top: Top;
  /** Classes of the step's rows. */
  readonly labels: Int32Array;
  /** How each user's records are mixed, where they are. */
  readonly mixedOf: MixedOf;
}

/** How a user's records of one step are mixed. */
type MixedOf = (step: GroupStep, user: number) => Mixed | undefined;

/** Differentiates a step's objective, each user's over her own rows. `labels` are those of the group's records. */
export function differentiator(
  { kernels, arena, round }: Machine & { readonly round: Pick<RoundWork, 'plan' | 'round'> },
  labels: Int32Array,
  mixedOf: MixedOf,
): (step: GroupStep, epoch: number, top: Top) => void {
  return (step, epoch, top) => {
    const numClasses = Math.max(2, top.layer.units);
    const objective = objectiveOf(round.plan.defence, { round: round.round, epoch, numClasses });
    const stepLabels =
      step.picked === undefined ? labels : step.picked.records.map((record) => labels[record] ?? 0);
    const topStep = { kernels, arena, step, top, labels: stepLabels, mixedOf };
    if (objective.type === 'cross-entropy') crossEntropy(topStep, false);
    else if (objective.type === 'relaxloss') relaxLoss(topStep, objective);
    else for (let user = 0; user + 1 < step.offsets.length; user++) byHand(topStep, objective, user);
  };
}

/** Derivatives of every user's mean cross-entropy by the kernel; returns these means, or nothing where they are not asked for. */
function crossEntropy(topStep: TopStep, areLossesWanted: boolean): Float64Array {
  const { kernels, arena, step, top, labels } = topStep;
  const numUsers = step.offsets.length - 1;
  const mark = arena.mark();
  const losses = areLossesWanted ? arena.take(8 * numUsers) : 0;
  const [offsetsAt, labelsAt] = [arena.take(4 * (numUsers + 1)), arena.take(4 * labels.length)];
  arena.integers(offsetsAt, numUsers + 1).set(step.offsets);
  arena.integers(labelsAt, labels.length).set(labels);
  const rows = [top.output.at, top.gradient.at, top.output.row] as const;
  kernels.crossEntropy(numUsers, top.layer.units, offsetsAt, labelsAt, ...rows, losses);
  const means = areLossesWanted ? arena.doubles(losses, numUsers).slice() : new Float64Array(0);
  arena.release(mark);
  return means;
}

/** Most users' steps go up or down their cross-entropy; only those who flatten need more than that. */
function relaxLoss(topStep: TopStep, objective: Extract<Objective, { type: 'relaxloss' }>): void {
  const { kernels, step, top } = topStep;
  const { alpha } = objective.settings;
  const losses = crossEntropy(topStep, true);
  for (const [user, loss] of losses.entries()) {
    if (loss > alpha) continue;
    if (objective.phase === 'flatten') {
      byHand(topStep, objective, user);
      continue;
    }
    const at = rowAt(top.gradient, startOf(step.offsets, user));
    const size = [rowsOf(step.offsets, user), top.gradient.row / 4] as const;
    const rows = [at, top.gradient.row, at, top.gradient.row] as const;
    kernels.combineRows(...size, ...rows, Math.sign(loss - alpha), 0);
  }
}

/** One user's derivative without a kernel. */
function byHand({ arena, step, top, labels, mixedOf }: TopStep, objective: Objective, user: number): void {
  const { units } = top.layer;
  const [start, numRecords] = [startOf(step.offsets, user), rowsOf(step.offsets, user)];
  const stride = rowBytes(units) / 4;
  const numClasses = Math.max(2, units);
  const logits = compact(arena.floats(rowAt(top.output, start), numRecords * stride), units, numRecords);
  const rows = { labels: labels.subarray(start, start + numRecords), mixed: mixedOf(step, user) };
  const batch = { logits, ...rows, numRecords, numClasses };
  const derivative = new Float32Array(logits.length);
  logitGradient(batch, objective, derivative);
  spread(derivative, arena.floats(rowAt(top.gradient, start), numRecords * stride), units, numRecords);
}

/** Logits without padding; of a sigmoid output the pairs (0, z). */
function compact(logits: Float32Array, units: number, numRecords: number): Float32Array {
  const [numClasses, stride] = [Math.max(2, units), rowBytes(units) / 4];
  const shift = numClasses - units;
  const values = new Float32Array(numRecords * numClasses);
  for (let row = 0; row < numRecords; row++) {
    for (let unit = 0; unit < units; unit++)
      values[row * numClasses + shift + unit] = logits[row * stride + unit] ?? 0;
  }
  return values;
}

/** The inverse of `compact`; padding stays zero. */
function spread(values: Float32Array, to: Float32Array, units: number, numRecords: number): void {
  const [numClasses, stride] = [Math.max(2, units), rowBytes(units) / 4];
  const shift = numClasses - units;
  for (let row = 0; row < numRecords; row++) {
    for (let unit = 0; unit < units; unit++)
      to[row * stride + unit] = values[row * numClasses + shift + unit] ?? 0;
  }
}
