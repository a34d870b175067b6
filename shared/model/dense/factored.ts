import { outerBytes, padded, type Rows, rowBytes } from '../kernels/arena.ts';
import {
  type GroupStep,
  type LayerForm,
  type LayerRoom,
  mostRows,
  rowAt,
  rowsOf,
  startOf,
  type UpdateSize,
} from './form.ts';
import { sharedBackward, sharedForward } from './layers.ts';

/**
 * A layer whose users have no weights of their own. After some steps of plain SGD a user's kernel and bias are
 * share * [W; b] - sum_i [h_i, 1]' d_i over the rows h_i that she has fed in, so a Gram matrix of these rows gives her
 * forward and backward corrections and her update's norm, and the sum of updates is one product over everybody's rows.
 */
export interface Factored extends LayerRoom {
  /** First row of each user's history, shape (users + 1,). */
  readonly offsets: Int32Array;
  /** The rows h, shape (all rows, inputs). */
  readonly input: Rows;
  /** The rows d: learning rate times derivative at the pre-activations, decayed since; shape (all rows, units). */
  readonly descent: Rows;
  /** h W + b under the received weights, where weight decay or a repeated input needs it; shape (all rows, units). */
  readonly product: Rows | undefined;
  /** Where each user's Gram matrix of h stands; float64, (rows, rows). */
  readonly grams: Float64Array;
  /** What weight decay has left of the received weights. */
  share: number;
  /** Of each row in the sum, float64, shape (all rows,): minus the user's factor. */
  readonly factors: number;
  /** Of the received weights in the sum. */
  shrunk: number;
  readonly scratch: Scratch;
}

interface Scratch {
  /** A user's rows in float64. */
  readonly wide: number;
  /** Gram matrix of a user's d, float64. */
  readonly gram: number;
  /** Coefficients of a user's past rows in her present ones, float32. */
  readonly past: Rows;
  readonly outer: number;
}

/** Room for the history of a layer; `input` when it is there already. */
export function makeFactored(room: LayerRoom, offsets: Int32Array, input?: Rows): Factored {
  const { arena, shared, numUsers, decay } = room;
  const { inputs, units } = shared.layer;
  const numRows = startOf(offsets, numUsers);
  const most = mostRows(offsets);
  const widest = Math.max(padded(inputs), padded(units));
  const factors = arena.take(8 * numRows);
  arena.doubles(factors, numRows).fill(0);
  return {
    ...room,
    offsets,
    input: input ?? arena.rows(numRows, inputs),
    descent: arena.zeroRows(numRows, units),
    product: input !== undefined || decay !== 1 ? arena.rows(numRows, units) : undefined,
    grams: Float64Array.from({ length: numUsers }, (_, user) => arena.take(8 * rowsOf(offsets, user) ** 2)),
    share: 1,
    factors,
    shrunk: 0,
    scratch: {
      wide: arena.take(8 * most * widest),
      gram: arena.take(8 * most * most),
      past: arena.rows(most, most),
      outer: arena.take(outerBytes(inputs, units)),
    },
  };
}

/** A layer above the first: every step appends its rows to the history. */
export function factored(room: LayerRoom, stepRows: Int32Array): LayerForm {
  const state = makeFactored(room, stepRows);
  /** Rows of each user's history in use. */
  const used = new Int32Array(room.numUsers);
  return {
    ...updateOf(state),
    forward: (step, input, output) => {
      sharedForward(state, state.shared, { input, output, numRows: step.numRows });
      for (let user = 0; user < room.numUsers; user++) {
        forward(state, { step, user, used: used[user] ?? 0 }, input, output);
      }
    },
    backward: (step, gradient, below) => {
      sharedBackward(state, state.shared, { gradient, below, numRows: step.numRows }, state.share);
      for (let user = 0; user < room.numUsers; user++) {
        backward(state, { step, user, used: used[user] ?? 0 }, gradient, below);
      }
    },
    descend: (step, _, gradient) => {
      const columns = padded(state.shared.layer.units);
      decayDescents(state);
      for (let user = 0; user < room.numUsers; user++) {
        const [start, count] = [startOf(step.offsets, user), rowsOf(step.offsets, user)];
        const to = rowAt(state.descent, startOf(state.offsets, user) + (used[user] ?? 0));
        const from = rowAt(gradient, start);
        state.kernels.combineRows(
          count,
          columns,
          from,
          gradient.row,
          to,
          gradient.row,
          state.learningRate,
          0,
        );
        used[user] = (used[user] ?? 0) + count;
      }
    },
  };
}

/** One user's rows of a step, and how many rows of her history were before it. */
interface Turn {
  readonly step: GroupStep;
  readonly user: number;
  readonly used: number;
}

function forward(state: Factored, { step, user, used }: Turn, input: Rows, output: Rows): void {
  const { kernels, shared, offsets, scratch, product, share } = state;
  const { inputs, units } = shared.layer;
  const [start, count] = [startOf(step.offsets, user), rowsOf(step.offsets, user)];
  const first = startOf(offsets, user);
  const from = rowAt(input, start);
  const to = rowAt(output, start);
  const history = rowAt(state.input, first);
  kernels.combineRows(
    count,
    padded(inputs),
    from,
    input.row,
    rowAt(state.input, first + used),
    input.row,
    1,
    0,
  );
  if (product !== undefined) {
    const kept = rowAt(product, first + used);
    kernels.combineRows(count, padded(units), to, output.row, kept, output.row, 1, 0);
    kernels.combineRows(count, padded(units), kept, output.row, to, output.row, share, 0);
  }
  const wideRow = 8 * padded(inputs);
  kernels.widen(used + count, padded(inputs), history, input.row, scratch.wide, wideRow);
  const gramRow = 8 * rowsOf(offsets, user);
  const gram = (state.grams[user] ?? 0) + used * gramRow;
  const present = scratch.wide + used * wideRow;
  kernels.gram(count, used, padded(inputs), present, scratch.wide, wideRow, gram, gramRow);
  if (used === 0) return;
  kernels.narrowPlusOne(count, used, gram, gramRow, scratch.past.at, scratch.past.row);
  correct(state, { count, past: used, user }, to);
}

/** Take the past steps' part off a user's pre-activations: minus the coefficients in `scratch.past` times her descents. */
export function correct(
  { kernels, shared, offsets, descent, scratch: { past } }: Factored,
  rows: { readonly count: number; readonly past: number; readonly user: number },
  to: number,
): void {
  const right = [rowAt(descent, startOf(offsets, rows.user)), 32, descent.row] as const;
  const sizes = [rows.count, shared.layer.units, rows.past] as const;
  kernels.multiply(...([...sizes, past.at, past.row, 4, ...right, to, descent.row, -1, 1] as const));
}

function backward(state: Factored, { step, user, used }: Turn, gradient: Rows, below: Rows): void {
  if (used === 0) return;
  const { kernels, shared, offsets, input, descent, scratch } = state;
  const { inputs, units } = shared.layer;
  const [start, count] = [startOf(step.offsets, user), rowsOf(step.offsets, user)];
  const first = startOf(offsets, user);
  const { past } = scratch;
  const left = [rowAt(gradient, start), gradient.row] as const;
  const right = [rowAt(descent, first), descent.row] as const;
  kernels.multiplyRows(...([count, used, units, ...left, ...right, past.at, past.row] as const));
  const history = [rowAt(input, first), 32, input.row] as const;
  const to = [rowAt(below, start), below.row] as const;
  kernels.multiply(...([count, inputs, used, past.at, past.row, 4, ...history, ...to, -1, 1] as const));
}

/** One step of weight decay: on what is left of the received weights and on every past step. */
export function decayDescents(state: Factored): void {
  const { kernels, decay, descent, offsets, numUsers, shared } = state;
  if (decay === 1) return;
  const columns = padded(shared.layer.units);
  const numRows = startOf(offsets, numUsers);
  kernels.combineRows(numRows, columns, descent.at, descent.row, descent.at, descent.row, decay, 0);
  state.share *= decay;
}

/** What becomes of the history in the end; the same for every layer. */
export function updateOf(state: Factored): Pick<LayerForm, 'measure' | 'add' | 'finish'> {
  return {
    measure: (user) => measure(state, user),
    add: (user, factor) => {
      const { arena, factors, offsets } = state;
      arena.doubles(factors + 8 * startOf(offsets, user), rowsOf(offsets, user)).fill(-factor);
      // Not 0 times infinity: what her steps made of a user who counts as zero must not reach the others.
      if (factor !== 0) state.shrunk += factor * (state.share - 1);
    },
    finish: () => {
      const { kernels, shared, offsets, input, descent, factors, sum, scratch } = state;
      const { inputs, units } = shared.layer;
      const sizes = [startOf(offsets, state.numUsers), inputs, units] as const;
      const rows = [input.at, input.row, descent.at, descent.row] as const;
      kernels.addOuterProducts(...([...sizes, ...rows, factors, sum, scratch.outer] as const));
      if (state.decay !== 1) kernels.addScaled(shared.length, shared.weights.at, state.shrunk, sum);
    },
  };
}

/**
 * Norm of (share - 1) [W; b] - sum_i [h_i, 1]' d_i by Gram matrices in float64, and a little more than that: rounding is
 * covered by its worst case, so that what is clipped by it never exceeds the clip norm.
 */
function measure(state: Factored, user: number): UpdateSize {
  const { kernels, shared, offsets, descent, product, scratch, share } = state;
  const { inputs, units } = shared.layer;
  const [first, count] = [startOf(offsets, user), rowsOf(offsets, user)];
  const from = rowAt(descent, first);
  const row = 8 * count;
  kernels.widen(count, padded(units), from, descent.row, scratch.wide, 8 * padded(units));
  kernels.gram(count, 0, padded(units), scratch.wide, scratch.wide, 8 * padded(units), scratch.gram, row);
  const grams = [count, state.grams[user] ?? 0, row, scratch.gram, row] as const;
  const mass = kernels.factoredMass(...grams);
  const doubt = (inputs + units + 2 * count) * 2 ** -52 * mass ** 2;
  const squaredNorm = kernels.factoredNorm(...grams) + doubt;
  if (share === 1 || product === undefined) return { squaredNorm, mass };
  const kept = rowAt(product, first);
  const inner = kernels.innerProduct(count, units, kept, product.row, from, descent.row);
  const productDoubt = (inputs + 3) * 2 ** -24 * shared.norm * mass;
  const loss = 1 - share;
  const cross = 2 * (loss * inner + Math.abs(loss) * productDoubt);
  return { squaredNorm: squaredNorm + loss ** 2 * shared.norm ** 2 * (1 + 2 ** -20) + cross, mass };
}

/** Bytes that so many history rows of one user take in this form. */
export function factoredBytes(
  layer: { readonly inputs: number; readonly units: number },
  numRows: number,
): number {
  return numRows * (rowBytes(layer.inputs) + 2 * rowBytes(layer.units) + 8 * numRows);
}
