import type { DenseLayer } from '../dense-layers.ts';
import { makeArena, type Rows } from '../kernels/arena.ts';
import { loadKernels } from '../kernels/kernels.ts';
import { differentiator } from './differentiate.ts';
import { factored } from './factored.ts';
import { factoredInput } from './factored-input.ts';
import { type GroupStep, type LayerForm, type LayerRoom, rowsOf, startOf } from './form.ts';
import { groupSteps, offsetsOf } from './group-steps.ts';
import { activationKind, type Machine, type SharedLayer, shareLayer, sumRoom, takeSum } from './layers.ts';
import { ownWeights } from './own-weights.ts';
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
        return trainGroup({ ...machine, shared, round }, work);
      },
    };
  };
}

interface Training extends Machine {
  readonly shared: readonly SharedLayer[];
  readonly round: RoundWork;
}

/** One layer of a group: what it computes with, and what goes in and comes out of it. */
interface Stage {
  readonly form: LayerForm;
  readonly layer: DenseLayer;
  readonly sum: number;
  readonly input: Rows;
  /** After the activation. */
  readonly output: Rows;
  /** Derivative at the pre-activations. */
  readonly gradient: Rows;
}

function trainGroup(training: Training, work: GroupWork): GroupResult {
  const { arena, round } = training;
  const records = offsetsOf(work.counts);
  const features = gatherFeatures(training, work, records);
  const stages = makeStages(training, work, records, features);
  const differentiate = differentiator(training, labelsOf(round.labels, work));
  for (const { epoch, step } of groupSteps(arena, work, round.plan)) {
    propagate(training, stages, step, features);
    const top = stages.at(-1);
    if (top !== undefined) differentiate(step, epoch, top);
    retreat(training, stages, step);
  }
  return takeResult(training, stages, work);
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

function makeStages(training: Training, work: GroupWork, records: Int32Array, features: Rows): Stage[] {
  const { arena, shared, round } = training;
  const { learningRate, l2, epochs } = round.plan;
  const numUsers = work.counts.length;
  const numRows = startOf(records, numUsers);
  const stages: Stage[] = [];
  for (const [index, layer] of shared.entries()) {
    const sum = sumRoom(training, layer.layer);
    const room: LayerRoom = {
      ...{ kernels: training.kernels, arena, shared: layer, sum, numUsers, numSteps: work.numSteps, records },
      ...{ learningRate, decay: 1 - learningRate * l2 },
    };
    const isFactored = work.factored[index] === true;
    const form = makeForm(room, { index, features, isFactored, epochs });
    const below = stages.at(-1)?.output;
    const input =
      below ?? (work.orders === undefined ? features : arena.zeroRows(numRows, layer.layer.inputs));
    const output = arena.rows(numRows, layer.layer.units);
    stages.push({
      form,
      layer: layer.layer,
      sum,
      input,
      output,
      gradient: arena.zeroRows(numRows, layer.layer.units),
    });
  }
  return stages;
}

function makeForm(
  room: LayerRoom,
  choice: {
    readonly index: number;
    readonly features: Rows;
    readonly isFactored: boolean;
    readonly epochs: number;
  },
): LayerForm {
  if (!choice.isFactored) return ownWeights(room);
  if (choice.index === 0) return factoredInput(room, choice.features);
  return factored(
    room,
    room.records.map((start) => choice.epochs * start),
  );
}

/** Forwards through the stack; the first layer reads the records that the step picks. */
function propagate({ kernels }: Training, stages: readonly Stage[], step: GroupStep, features: Rows): void {
  for (const [index, { form, layer, input, output }] of stages.entries()) {
    if (index === 0 && step.picked !== undefined)
      kernels.gatherRows(
        step.numRows,
        input.row,
        features.at,
        features.row,
        step.picked.at,
        input.at,
        input.row,
      );
    form.forward(step, input, output);
    kernels.activate(activationKind[layer.activation], step.numRows, layer.units, output.at, output.row);
  }
}

/** Backwards through the stack; a layer descends only after its weights have carried the derivative down. */
function retreat({ kernels }: Training, stages: readonly Stage[], step: GroupStep): void {
  for (let index = stages.length - 1; index >= 0; index--) {
    const stage = stages[index];
    const below = stages[index - 1];
    if (stage === undefined) continue;
    if (below !== undefined) {
      stage.form.backward(step, stage.gradient, below.gradient);
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
