import { padded, type Rows } from '../kernels/arena.ts';
import { correct, decayDescents, type Factored, makeFactored, updateOf } from './factored.ts';
import { type GroupStep, type LayerForm, type LayerRoom, rowAt, rowsOf, startOf } from './form.ts';
import { sharedForward } from './layers.ts';

/**
 * The first layer in factored form. Its input rows are the records themselves at every step, so the history has one row for
 * each record, whatever the number of steps, and both the Gram matrices and the product with the received weights are made once.
 */
export function factoredInput(room: LayerRoom, features: Rows): LayerForm {
  const state = makeFactored(room, room.records, features);
  const { shared, numUsers } = state;
  const product = state.product ?? features;
  const numRows = startOf(room.records, numUsers);
  sharedForward(state, shared, { input: features, output: product, numRows });
  for (let user = 0; user < numUsers; user++) fullGram(state, user);
  return {
    ...updateOf(state),
    forward: (step, _, output) => {
      forward(state, step, product, output);
    },
    backward: () => undefined,
    descend: (step, _, gradient) => {
      decayDescents(state);
      descend(state, step, gradient);
    },
  };
}

function fullGram({ kernels, shared, offsets, input, grams, scratch }: Factored, user: number): void {
  const columns = padded(shared.layer.inputs);
  const count = rowsOf(offsets, user);
  const gram = grams[user] ?? 0;
  kernels.widen(count, columns, rowAt(input, startOf(offsets, user)), input.row, scratch.wide, 8 * columns);
  kernels.gram(count, 0, columns, scratch.wide, scratch.wide, 8 * columns, gram, 8 * count);
  kernels.mirror(count, gram, 8 * count);
}

function forward(state: Factored, step: GroupStep, product: Rows, output: Rows): void {
  const { kernels, shared, numUsers, share } = state;
  const columns = padded(shared.layer.units);
  const { picked, numRows } = step;
  if (picked === undefined) {
    kernels.combineRows(numRows, columns, product.at, product.row, output.at, output.row, share, 0);
  } else {
    kernels.gatherRows(numRows, output.row, product.at, product.row, picked.at, output.at, output.row);
    if (share !== 1)
      kernels.combineRows(numRows, columns, output.at, output.row, output.at, output.row, share, 0);
  }
  if (step.index === 0) return;
  for (let user = 0; user < numUsers; user++) {
    takePast(state, step, user);
    const count = rowsOf(step.offsets, user);
    const past = rowsOf(state.offsets, user);
    correct(state, { count, past, user }, rowAt(output, startOf(step.offsets, user)));
  }
}

/** Coefficients of all of a user's records in the step's rows, into `scratch.past`. */
function takePast(
  { kernels, offsets, grams, scratch: { past } }: Factored,
  step: GroupStep,
  user: number,
): void {
  const all = rowsOf(offsets, user);
  const gram = grams[user] ?? 0;
  if (step.picked === undefined) {
    kernels.narrowPlusOne(all, all, gram, 8 * all, past.at, past.row);
    return;
  }
  const [start, count] = [startOf(step.offsets, user), rowsOf(step.offsets, user)];
  for (let row = 0; row < count; row++) {
    const record = (step.picked.records[start + row] ?? 0) - startOf(offsets, user);
    kernels.narrowPlusOne(1, all, gram + record * 8 * all, 8 * all, rowAt(past, row), past.row);
  }
}

/** Add the step's derivatives to the descents of its records. */
function descend(
  { kernels, shared, descent, learningRate }: Factored,
  step: GroupStep,
  gradient: Rows,
): void {
  const columns = padded(shared.layer.units);
  const { picked, numRows } = step;
  const rates = [learningRate, 1] as const;
  if (picked === undefined) {
    kernels.combineRows(numRows, columns, gradient.at, gradient.row, descent.at, descent.row, ...rates);
    return;
  }
  for (let row = 0; row < numRows; row++) {
    const to = rowAt(descent, picked.records[row] ?? 0);
    kernels.combineRows(1, columns, rowAt(gradient, row), gradient.row, to, descent.row, ...rates);
  }
}
