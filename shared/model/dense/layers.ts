import type { Activation, DenseLayer } from '../dense-layers.ts';
import { type Arena, padded, type Rows, rowBytes } from '../kernels/arena.ts';
import type { Kernels } from '../kernels/kernels.ts';
import type { RoundWork } from './work.ts';

/** Kernels and the room that they work in. */
export interface Machine {
  readonly kernels: Kernels;
  readonly arena: Arena;
}

/** A dense layer's received weights, as the kernels want them; made once for a round. */
export interface SharedLayer {
  readonly layer: DenseLayer;
  /** The kernel's rows and the bias as the last one, shape (inputs + 1, units). */
  readonly weights: Rows;
  /** Padded values of `weights`, a multiple of four. */
  readonly length: number;
  /** Panels of the kernel and of its transpose. */
  readonly packed: number;
  readonly packedTransposed: number;
  /** L2 norm of `weights`. */
  readonly norm: number;
  /** Indices among the padded values of `weights` of those that stay as received, ascending. */
  readonly frozen: Int32Array;
}

/** How `activate` and `multiplySlope` know an activation. */
export const activationKind: Readonly<Record<Activation, number>> = {
  linear: 0,
  relu: 1,
  tanh: 2,
  sigmoid: 3,
};

/** Lay one layer's part of the received parameters out. */
export function shareLayer(
  { kernels, arena }: Machine,
  layer: DenseLayer,
  { parameters, flags }: Pick<RoundWork, 'parameters' | 'flags'>,
): SharedLayer {
  const { inputs, units, kernelOffset, biasOffset } = layer;
  const weights = arena.zeroRows(inputs + 1, units);
  const packed = arena.take(panelBytes(inputs, units));
  const packedTransposed = arena.take(panelBytes(units, inputs));
  const length = (inputs + 1) * padded(units);
  const values = arena.floats(weights.at, length);
  for (let row = 0; row <= inputs; row++) {
    const start = row < inputs ? kernelOffset + row * units : biasOffset;
    values.set(parameters.subarray(start, start + units), row * padded(units));
  }
  kernels.pack(inputs, units, weights.at, weights.row, 4, packed);
  kernels.pack(units, inputs, weights.at, 4, weights.row, packedTransposed);
  const { row } = weights;
  const norm = Math.sqrt(kernels.innerProduct(inputs + 1, units, weights.at, row, weights.at, row));
  const frozen = flags ? frozenPlaces(layer, flags) : new Int32Array(0);
  return { layer, weights, length, packed, packedTransposed, norm, frozen };
}

function frozenPlaces(
  { inputs, units, kernelOffset, biasOffset }: DenseLayer,
  flags: Uint8Array,
): Int32Array {
  const places: number[] = [];
  for (let row = 0; row <= inputs; row++) {
    const start = row < inputs ? kernelOffset + row * units : biasOffset;
    for (let unit = 0; unit < units; unit++)
      if (flags[start + unit] === 0) places.push(row * padded(units) + unit);
  }
  return Int32Array.from(places);
}

function panelBytes(steps: number, columns: number): number {
  return 32 * steps * Math.ceil(columns / 8);
}

/** `output` (numRows, units) = share * (`input` (numRows, inputs) times kernel plus bias), without activation. */
export function sharedForward(
  { kernels }: Machine,
  shared: SharedLayer,
  rows: { readonly input: Rows; readonly output: Rows; readonly numRows: number },
  share = 1,
): void {
  const { inputs, units } = shared.layer;
  const { input, output, numRows } = rows;
  const bias = shared.weights.at + inputs * shared.weights.row;
  kernels.fillRows(numRows, padded(units), output.at, output.row, bias, share);
  const panels = [shared.packed, 32 * inputs, 32] as const;
  kernels.multiply(
    ...([
      numRows,
      units,
      inputs,
      input.at,
      input.row,
      4,
      ...panels,
      output.at,
      output.row,
      share,
      1,
    ] as const),
  );
}

/** `below` (numRows, inputs) = share * `gradient` (numRows, units) times kernel transposed. */
export function sharedBackward(
  { kernels }: Machine,
  shared: SharedLayer,
  rows: { readonly gradient: Rows; readonly below: Rows; readonly numRows: number },
  share = 1,
): void {
  const { inputs, units } = shared.layer;
  const { gradient, below, numRows } = rows;
  const panels = [shared.packedTransposed, 32 * units, 32] as const;
  kernels.multiply(
    ...([
      numRows,
      inputs,
      units,
      gradient.at,
      gradient.row,
      4,
      ...panels,
      below.at,
      below.row,
      share,
      0,
    ] as const),
  );
}

/** Where a layer's sum of updates stands: (inputs + 1, units) float64 with padding, zero at first. */
export function sumRoom({ arena }: Machine, { inputs, units }: DenseLayer): number {
  const length = padded(inputs + 1) * padded(units);
  const at = arena.take(8 * length);
  arena.doubles(at, length).fill(0);
  return at;
}

/** Copy a layer's sum to its place in a flat vector of parameters. */
export function takeSum({ arena }: Machine, layer: DenseLayer, at: number, sum: Float64Array): void {
  const { inputs, units, kernelOffset, biasOffset } = layer;
  for (let row = 0; row <= inputs; row++) {
    const start = row < inputs ? kernelOffset + row * units : biasOffset;
    sum.set(arena.doubles(at + 2 * row * rowBytes(units), units), start);
  }
}
