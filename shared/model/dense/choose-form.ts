import type { DenseLayer } from '../dense-layers.ts';
import { padded, rowBytes } from '../kernels/arena.ts';
import type { ParameterMask } from '../mask.ts';
import { factoredBytes } from './factored.ts';
import { ownWeightsBytes } from './own-weights.ts';

/** One user's local work: that alone decides how she is trained, so that nothing depends on who else is. */
export interface UserLoad {
  /** Records that take part, >= 1. */
  readonly numRecords: number;
  readonly numSteps: number;
  /** Rows of all steps together. */
  readonly numRows: number;
  /** Of what is drawn for her steps. */
  readonly drawnBytes: number;
  /** Whether every step feeds the records themselves in. */
  readonly areInputsKept: boolean;
}

/** Whether a layer is trained in factored form; `readsRecords` where each step feeds it the same rows, the user's records. */
export type ChooseForm = (layer: DenseLayer, readsRecords: boolean, load: UserLoad) => boolean;

/**
 * Factored form while a layer's rank-one terms are few against the size of its kernel. The weights of the
 * terms are nanoseconds per multiplication as bench/train.ts finds them; only their ratios matter.
 */
export function isFactored(layer: DenseLayer, readsRecords: boolean, load: UserLoad): boolean {
  const { inputs, units } = layer;
  const { numRecords, numSteps, numRows } = load;
  const rank = readsRecords ? numRecords : numRows;
  const size = inputs * padded(units);
  const perTerm = (inputs + units) * (numSteps > 1 ? 0.3 : 0.18);
  const factored = 0.2 * rank * size + perTerm * rank ** 2 + 200 * numSteps;
  const repeated = readsRecords ? 0.1 * (numSteps - 1) * numRecords * size : 0;
  const own = 0.25 * numRows * size + 1.7 * size + repeated + 200 * numSteps;
  return factored < own;
}

/**
 * The same where a mask freezes some of a layer's weights: then every user has weights of her own, since a step under a mask is no
 * sum of few rank-one terms.
 */
export function ownWhereFrozen(chooseForm: ChooseForm, mask: ParameterMask | undefined): ChooseForm {
  if (!mask) return chooseForm;
  return (layer, readsRecords, load) => !isFrozen(layer, mask) && chooseForm(layer, readsRecords, load);
}

function isFrozen(
  { inputs, units, kernelOffset, biasOffset }: DenseLayer,
  { flags }: ParameterMask,
): boolean {
  const kernel = flags.subarray(kernelOffset, kernelOffset + inputs * units);
  return kernel.includes(0) || flags.subarray(biasOffset, biasOffset + units).includes(0);
}

/** Working memory in bytes and multiplications that one user adds to a group, roughly. */
export function loadSize(
  layers: readonly DenseLayer[],
  factored: readonly boolean[],
  load: UserLoad,
): { readonly bytes: number; readonly work: number } {
  const { numRecords, numSteps, numRows, drawnBytes, areInputsKept } = load;
  let bytes = numRecords * rowBytes(layers.at(0)?.inputs ?? 0) + drawnBytes;
  let work = 0;
  for (const [index, layer] of layers.entries()) {
    const rank = index === 0 && areInputsKept ? numRecords : numRows;
    const form = factored[index] === true ? factoredBytes(layer, rank) : ownWeightsBytes(layer, numSteps);
    bytes += form + 3 * numRecords * rowBytes(layer.units);
    work += 3 * numRows * layer.inputs * padded(layer.units);
  }
  return { bytes, work };
}
