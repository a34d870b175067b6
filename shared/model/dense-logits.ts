import { assertNever } from '../errors.ts';
import type { Activation, DenseLayer, DenseStack } from './dense-layers.ts';
import { type Arena, makeArena, padded } from './kernels/arena.ts';
import { type Kernels, loadKernels } from './kernels/kernels.ts';

type Stack = Extract<DenseStack, { type: 'dense' }>;

/** What a model makes of records. */
export interface Outputs {
  /** Input of the output layer, shape (numRecords, its inputs). */
  readonly embedding: Float32Array | Float64Array;
  /** Shape (numRecords, numLogits). */
  readonly logits: Float32Array | Float64Array;
}

/** A stack of dense layers with fixed parameters, ready to be run. */
export interface DenseRun {
  /** Outputs in float64 of float32 features, shape (numRecords, inputs of the first layer). Each record's depend on that record alone. */
  readonly outputs: (features: Float32Array) => Outputs;
  /** Gives its memory back for others; nothing is run afterwards. */
  readonly dispose: () => void;
}

/** Lays a stack's float32 parameters out for the kernels. The result has the same bits on every machine. */
export function denseRun(stack: Stack, parameters: Float32Array): DenseRun {
  const machine = idle.pop() ?? newMachine();
  machine.arena.release(machine.start);
  const hidden = stack.hidden.map((layer) => placeLayer(machine, layer, parameters));
  const output = placeLayer(machine, stack.output, parameters);
  return {
    outputs: (features) => {
      let embedding: Outputs['embedding'] = features;
      for (const layer of hidden) embedding = applyLayer(machine, layer, embedding);
      return { embedding, logits: applyLayer(machine, output, embedding) };
    },
    dispose: () => {
      idle.push(machine);
    },
  };
}

interface Machine {
  readonly kernels: Kernels;
  readonly arena: Arena;
  readonly start: number;
}

/** Kernels with memory of their own that nobody uses: memory of WebAssembly is dear to make and slow to be collected. */
const idle: Machine[] = [];

function newMachine(): Machine {
  const kernels = loadKernels();
  const arena = makeArena(kernels);
  return { kernels, arena, start: arena.mark() };
}

interface PlacedLayer {
  readonly layer: DenseLayer;
  /** Kernel and bias in float64, columns padded with zeros. */
  readonly weights: number;
  readonly bias: number;
}

function placeLayer({ arena }: Machine, layer: DenseLayer, parameters: Float32Array): PlacedLayer {
  const { inputs, units, kernelOffset, biasOffset } = layer;
  const columns = padded(units);
  const [weights, bias] = [arena.take(8 * inputs * columns), arena.take(8 * columns)];
  const rows = arena.doubles(weights, inputs * columns).fill(0);
  for (let row = 0; row < inputs; row++) {
    const start = kernelOffset + row * units;
    rows.set(parameters.subarray(start, start + units), row * columns);
  }
  arena
    .doubles(bias, columns)
    .fill(0)
    .set(parameters.subarray(biasOffset, biasOffset + units));
  return { layer, weights, bias };
}

function applyLayer(
  { kernels, arena }: Machine,
  { layer, weights, bias }: PlacedLayer,
  input: Outputs['embedding'],
): Float64Array {
  const { inputs, units } = layer;
  const numRecords = input.length / inputs;
  const columns = padded(units);
  const mark = arena.mark();
  const [from, to] = [arena.take(8 * input.length), arena.take(8 * numRecords * columns)];
  arena.doubles(from, input.length).set(input);
  kernels.wideLayer(numRecords, columns, inputs, from, 8 * inputs, weights, bias, to);
  const output = new Float64Array(numRecords * units);
  for (let row = 0; row < numRecords; row++)
    output.set(arena.doubles(to + 8 * row * columns, units), row * units);
  arena.release(mark);
  activate(layer.activation, output);
  return output;
}

/** Apply an activation in place. Non-finite values stay non-finite. */
function activate(activation: Activation, values: Float64Array): void {
  switch (activation) {
    case 'linear':
      return;
    case 'relu':
      for (let i = 0; i < values.length; i++) if ((values[i] ?? 0) < 0) values[i] = 0;
      return;
    case 'tanh':
      for (let i = 0; i < values.length; i++) values[i] = Math.tanh(values[i] ?? 0);
      return;
    case 'sigmoid':
      for (let i = 0; i < values.length; i++) values[i] = 1 / (1 + Math.exp(-(values[i] ?? 0)));
      return;
    default:
      assertNever(activation);
  }
}
