import type { DenseLayer } from '../dense-layers.ts';
import { makeArena, type Rows } from '../kernels/arena.ts';
import { type Kernels, loadKernels } from '../kernels/kernels.ts';
import type { Mixed } from '../logit-batch.ts';
import { type ChangedSteps, changedSteps } from './changed-steps.ts';
import { differentiator } from './differentiate.ts';
import { rowWidths } from './drawn-changes.ts';
import { type GroupStep, rowsOf, startOf } from './form.ts';
import { groupSteps, offsetsOf } from './group-steps.ts';
import { activationKind, type Machine, type SharedLayer, shareLayer, takeSum } from './layers.ts';
import { makeStages, type Stage } from './stages.ts';
import { sumFactor, wholeSize } from './sum-factor.ts';
import type { GroupResult, GroupWork, RoundWork } from './work.ts';

/** Trains groups of users of one round, in memory of its own. */
export interface Engine {
  readonly train: (work: GroupWork) => GroupResult;
}

/** Makes engines for the rounds of one model, which take turns in the same memory: the newest is the only one to use. */
export function engineMaker(layers: readonly DenseLayer[]): (round: RoundWork) => Engine {
  const kernels = loadKernels();
  const machine: Machine = { kernels, arena: makeArena(kernels) };
  const empty = machine.arena.mark();
  return (round) => {
    machine.arena.release(empty);
    const shared = layers.map((layer) => shareLayer(machine, layer, round));
    const ready = machine.arena.mark();
    return {
      train: (work) => {
        machine.arena.release(ready);
        return trainedOrZero({ ...machine, shared, round }, work);
      },
    };
  };
}

interface Training extends Machine {
  readonly shared: readonly SharedLayer[];
  readonly round: RoundWork;
}

/**
 * A user alone who does not fit into the kernels' memory counts as zero, like one whose update is not finite: an error, which
 * everybody would see, would tell how many records she has.
 */
function trainedOrZero(training: Training, work: GroupWork): GroupResult {
  try {
    return trainGroup(training, work);
  } catch (error) {
    if (!(error instanceof RangeError) || work.counts.length > 1) throw error;
    return { sum: new Float64Array(training.round.parameters.length), norms: Float64Array.of(NaN) };
  }
}

function trainGroup(training: Training, work: GroupWork): GroupResult {
  const { arena, round } = training;
  const records = offsetsOf(work.counts);
  const features = gatherFeatures(training, work, records);
  const stages = makeStages({ ...training, work, records, features }, training.shared);
  const changes = changesFor(training, work);
  const mixedOf = (step: GroupStep, user: number): Mixed | undefined => changes?.mixedOf(step, user);
  const differentiate = differentiator(training, labelsOf(round.labels, work), mixedOf);
  for (const { epoch, step } of groupSteps(arena, work, round.plan)) {
    propagate(training, stages, step, { features, changes });
    const top = stages.at(-1);
    if (top !== undefined) differentiate(step, epoch, top);
    retreat(training, stages, step, changes);
    changes?.leave(step);
  }
  return takeResult(training, stages, work);
}

function changesFor(training: Training, work: GroupWork): ChangedSteps | undefined {
  const { shared, round } = training;
  const widths = rowWidths(shared.map(({ layer }) => layer));
  return work.changes && changedSteps(training, work.changes, work, { ...widths, epochs: round.plan.epochs });
}

/** The group's records, padded, one user after another. */
function gatherFeatures({ kernels, arena, round }: Training, work: GroupWork, records: Int32Array): Rows {
  const numRows = startOf(records, work.counts.length);
  const numFeatures = round.features.length / Math.max(1, round.labels.length);
  const rows = arena.rows(numRows, numFeatures);
  const isPadded = rows.row !== 4 * numFeatures;
  const mark = arena.mark();
  const at = isPadded ? arena.take(4 * numRows * numFeatures) : rows.at;
  const values = arena.floats(at, numRows * numFeatures);
  for (const [user, start] of work.starts.entries()) {
    const end = start + rowsOf(records, user);
    const taken = round.features.subarray(start * numFeatures, end * numFeatures);
    values.set(taken, startOf(records, user) * numFeatures);
  }
  if (isPadded) kernels.padRows(numRows, numFeatures, at, rows.at, rows.row);
  arena.release(mark);
  return rows;
}

function labelsOf(labels: Int32Array, { starts, counts }: GroupWork): Int32Array {
  const offsets = offsetsOf(counts);
  const taken = new Int32Array(startOf(offsets, counts.length));
  for (const [user, start] of starts.entries())
    taken.set(labels.subarray(start, start + (counts[user] ?? 0)), startOf(offsets, user));
  return taken;
}

/** What a step feeds in: the group's records, or what the defence makes of them. */
interface StepSource {
  readonly features: Rows;
  readonly changes: ChangedSteps | undefined;
}

/** Forwards through the stack. */
function propagate(
  { kernels }: Training,
  stages: readonly Stage[],
  step: GroupStep,
  source: StepSource,
): void {
  let from = source.features;
  for (const [index, stage] of stages.entries()) {
    const { form, layer, input, output } = stage;
    if (index === 0) from = enter(kernels, step, source, input);
    if (index === stages.length - 1) source.changes?.changeTop(step, from, input);
    form.forward(step, input, output);
    kernels.activate(activationKind[layer.activation], step.numRows, layer.units, output.at, output.row);
    from = output;
  }
}

/** The step's records to the first layer's `input`, and where they stand now. */
function enter(kernels: Kernels, step: GroupStep, { features, changes }: StepSource, input: Rows): Rows {
  const { numRows, picked } = step;
  const to = [input.at, input.row] as const;
  if (picked !== undefined)
    kernels.gatherRows(numRows, input.row, features.at, features.row, picked.at, ...to);
  else if (input !== features)
    kernels.combineRows(numRows, input.row / 4, features.at, features.row, ...to, 1, 0);
  changes?.changeRecords(step, input);
  return input;
}

/** Backwards through the stack; a layer descends only after its weights have carried the derivative down. */
function retreat(
  { kernels }: Training,
  stages: readonly Stage[],
  step: GroupStep,
  changes: ChangedSteps | undefined,
): void {
  for (let index = stages.length - 1; index >= 0; index--) {
    const stage = stages[index];
    const below = stages[index - 1];
    if (stage === undefined) continue;
    if (below !== undefined) {
      stage.form.backward(step, stage.gradient, below.gradient);
      if (index === stages.length - 1) changes?.carryDown(step, below.gradient);
      const { layer, output, gradient } = below;
      const kind = activationKind[layer.activation];
      kernels.multiplySlope(kind, step.numRows, layer.units, output.at, gradient.at, gradient.row);
    }
    stage.form.descend(step, stage.input, stage.gradient);
  }
}

function takeResult(training: Training, stages: readonly Stage[], work: GroupWork): GroupResult {
  const { parameters, clipNorm } = training.round;
  const norms = new Float64Array(work.counts.length);
  for (const [user, weight] of work.weights.entries()) {
    const size = wholeSize(stages.map(({ form }) => form.measure(user)));
    norms[user] = size.norm;
    const factor = sumFactor(size, clipNorm, weight);
    for (const { form } of stages) form.add(user, factor);
  }
  const sum = new Float64Array(parameters.length);
  for (const { form, layer, sum: at } of stages) {
    form.finish();
    takeSum(training, layer, at, sum);
  }
  return { sum, norms };
}
