import { padded, type Rows, rowBytes } from '../kernels/arena.ts';
import {
  type GroupStep,
  type LayerForm,
  type LayerRoom,
  rowAt,
  rowsOf,
  startOf,
  type UpdateSize,
} from './form.ts';
import { sharedBackward, sharedForward } from './layers.ts';

interface OwnWeights extends LayerRoom {
  /** Every user's weights, laid out as the received ones, one user after another; with a single step, room for one user. */
  readonly local: number;
  /** The rows of the only step, which `measure` descends from: until then nobody's weights are formed. */
  pending: { readonly step: GroupStep; readonly input: Rows; readonly gradient: Rows } | undefined;
}

/**
 * A layer in which every user has weights of her own once she has taken a step: one small product for each user. The first
 * step is still one product for all.
 */
export function ownWeights(room: LayerRoom): LayerForm {
  const { arena, shared, numSteps, numUsers } = room;
  const local = arena.take(4 * shared.length * (numSteps > 1 ? numUsers : 1));
  const state: OwnWeights = { ...room, local, pending: undefined };
  return {
    forward: (step, input, output) => {
      if (step.index === 0) sharedForward(state, shared, { input, output, numRows: step.numRows });
      else for (let user = 0; user < numUsers; user++) forward(state, { step, user }, input, output);
    },
    backward: (step, gradient, below) => {
      if (step.index === 0) sharedBackward(state, shared, { gradient, below, numRows: step.numRows });
      else for (let user = 0; user < numUsers; user++) backward(state, { step, user }, gradient, below);
    },
    descend: (step, input, gradient) => {
      if (numSteps === 1) state.pending = { step, input, gradient };
      else for (let user = 0; user < numUsers; user++) descend(state, { step, user }, input, gradient);
    },
    measure: (user) => measure(state, user),
    add: (user, factor) => {
      if (factor === 0) return;
      const own = weightsOf(state, user).at;
      state.kernels.addDifference(shared.length, own, shared.weights.at, factor, state.sum);
    },
    finish: () => undefined,
  };
}

/** One user's rows of a step. */
interface Turn {
  readonly step: GroupStep;
  readonly user: number;
}

function weightsOf({ shared, local, numSteps }: OwnWeights, user: number): Rows {
  return { at: local + (numSteps > 1 ? 4 * shared.length * user : 0), row: shared.weights.row };
}

function forward(state: OwnWeights, { step, user }: Turn, input: Rows, output: Rows): void {
  const { kernels, shared } = state;
  const { inputs, units } = shared.layer;
  const weights = weightsOf(state, user);
  const start = startOf(step.offsets, user);
  const count = rowsOf(step.offsets, user);
  const to = rowAt(output, start);
  kernels.fillRows(count, padded(units), to, output.row, rowAt(weights, inputs), 1);
  const left = [rowAt(input, start), input.row, 4] as const;
  const panels = [weights.at, 32, weights.row] as const;
  kernels.multiply(...([count, units, inputs, ...left, ...panels, to, output.row, 1, 1] as const));
}

function backward(state: OwnWeights, { step, user }: Turn, gradient: Rows, below: Rows): void {
  const { inputs, units } = state.shared.layer;
  const weights = weightsOf(state, user);
  const start = startOf(step.offsets, user);
  const size = [rowsOf(step.offsets, user), inputs, units] as const;
  const left = [rowAt(gradient, start), gradient.row] as const;
  const to = [rowAt(below, start), below.row] as const;
  state.kernels.multiplyRows(...([...size, ...left, weights.at, weights.row, ...to] as const));
}

function descend(state: OwnWeights, { step, user }: Turn, input: Rows, gradient: Rows): void {
  const { kernels, arena, shared, learningRate, decay } = state;
  const { inputs, units } = shared.layer;
  const weights = weightsOf(state, user);
  if (step.index === 0) {
    arena.floats(weights.at, shared.length).set(arena.floats(shared.weights.at, shared.length));
  }
  const start = startOf(step.offsets, user);
  const count = rowsOf(step.offsets, user);
  const from = rowAt(gradient, start);
  const left = [rowAt(input, start), 4, input.row] as const;
  const to = [weights.at, weights.row] as const;
  const sizes = [inputs, units, count] as const;
  kernels.multiply(...([...sizes, ...left, from, 32, gradient.row, ...to, -learningRate, decay] as const));
  const bias = rowAt(weights, inputs);
  kernels.addRows(count, padded(units), from, gradient.row, bias, -learningRate, decay);
  keepFrozen(state, weights);
}

/** Whatever a step made of them. */
function keepFrozen({ arena, shared }: OwnWeights, weights: Rows): void {
  if (shared.frozen.length === 0) return;
  const received = arena.floats(shared.weights.at, shared.length);
  const own = arena.floats(weights.at, shared.length);
  for (const place of shared.frozen) own[place] = received[place] ?? 0;
}

function measure(state: OwnWeights, user: number): UpdateSize {
  const { kernels, shared, pending } = state;
  if (pending !== undefined) descend(state, { step: pending.step, user }, pending.input, pending.gradient);
  const own = weightsOf(state, user).at;
  return { squaredNorm: kernels.differenceNorm(shared.length, own, shared.weights.at), mass: 0 };
}

/** Bytes that one user takes in this form. */
export function ownWeightsBytes(
  layer: { readonly inputs: number; readonly units: number },
  numSteps: number,
): number {
  return numSteps > 1 ? (layer.inputs + 1) * rowBytes(layer.units) : 0;
}
