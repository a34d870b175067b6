import { assertNever } from '../errors.ts';
import type { Activation, DenseLayer, DenseStack } from './dense-layers.ts';

type Stack = Extract<DenseStack, { type: 'dense' }>;

/** What a model makes of records. */
export interface Outputs {
  /** Input of the output layer, shape (numRecords, its inputs). */
  readonly embedding: Float32Array | Float64Array;
  /** Shape (numRecords, numLogits). */
  readonly logits: Float32Array | Float64Array;
}

/**
 * Outputs of a stack of dense layers in float64, from float32 parameters and features of shape (numRecords, inputs of the
 * first layer).
 */
export function denseOutputs(stack: Stack, parameters: Float32Array, features: Float32Array): Outputs {
  let embedding: Float64Array = Float64Array.from(features);
  for (const layer of stack.hidden) embedding = applyLayer(layer, parameters, embedding);
  return { embedding, logits: applyLayer(stack.output, parameters, embedding) };
}

function applyLayer(layer: DenseLayer, parameters: Float32Array, input: Float64Array): Float64Array {
  const { inputs, units, kernelOffset, biasOffset } = layer;
  const numRecords = input.length / inputs;
  const output = new Float64Array(numRecords * units);
  for (let row = 0; row < numRecords; row++) {
    const start = row * units;
    for (let j = 0; j < units; j++) output[start + j] = parameters[biasOffset + j] ?? 0;
    for (let i = 0; i < inputs; i++) {
      const x = input[row * inputs + i] ?? 0;
      if (x === 0) continue;
      const weights = kernelOffset + i * units;
      for (let j = 0; j < units; j++) {
        output[start + j] = (output[start + j] ?? 0) + x * (parameters[weights + j] ?? 0);
      }
    }
  }
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
