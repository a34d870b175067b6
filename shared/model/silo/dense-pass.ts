import { assertNever } from '../../errors.ts';
import type { Activation, DenseLayer, DenseStack } from '../dense-layers.ts';
import { addRows, addTerm, rowTerms } from './sparse-rows.ts';

/** A stack of dense layers, from the first to the output. */
export type Layers = readonly DenseLayer[];

/** The layers of a stack in one list. */
export function layersOf({ hidden, output }: Extract<DenseStack, { type: 'dense' }>): Layers {
  return [...hidden, output];
}

/** What enters each layer and, last, what leaves the output layer: each shape (numRecords, its width), float64. */
export type Passed = readonly Float64Array[];

/** Forwards through the stack; features of shape (numRecords, inputs). Zeros cost nothing: one-hot features are mostly zeros. */
export function passForward(layers: Layers, parameters: Float32Array, features: Float32Array): Passed {
  const passed: Float64Array[] = [new Float64Array(features)];
  // In one kind of array, so that the innermost loop meets no other.
  const weights = new Float64Array(parameters);
  for (const layer of layers) passed.push(through(layer, weights, passed.at(-1) ?? new Float64Array(0)));
  return passed;
}

function through(layer: DenseLayer, parameters: Float64Array, input: Float64Array): Float64Array {
  const { inputs, units, kernelOffset, biasOffset } = layer;
  const numRecords = input.length / inputs;
  const output = new Float64Array(numRecords * units);
  const terms = rowTerms(inputs);
  for (let row = 0; row < numRecords; row++) {
    output.set(parameters.subarray(biasOffset, biasOffset + units), row * units);
    terms.count = 0;
    for (let i = 0; i < inputs; i++) addTerm(terms, kernelOffset + i * units, input[row * inputs + i] ?? 0);
    addRows(output, { at: row * units, width: units }, parameters, terms);
  }
  for (let at = 0; at < output.length; at++) output[at] = activated(layer.activation, output[at] ?? 0);
  return output;
}

/** Derivatives that a pass backwards starts from. */
export interface Tops {
  /** By what the output layer gives, shape (numRecords, its units). */
  readonly byOutput: Float64Array;
  /** By its input, of what depends on that not through the output alone; shape (numRecords, its inputs). */
  readonly byRepresentations?: Float32Array | undefined;
}

/**
 * Backwards: derivatives by what each layer has before its activation, from those at the top; each shape (numRecords, units).
 */
export function passBackward(
  layers: Layers,
  parameters: Float32Array,
  passed: Passed,
  { byOutput, byRepresentations }: Tops,
): readonly Float64Array[] {
  const slopes = [byOutput];
  for (let above = layers.length - 1; above > 0; above--) {
    const [layer, below, output] = [layers[above], layers[above - 1], passed[above]];
    if (layer === undefined || below === undefined || output === undefined) continue;
    const slope = slopeByInput(layer, parameters, slopes[0] ?? byOutput);
    if (above === layers.length - 1)
      byRepresentations?.forEach((value, at) => (slope[at] = (slope[at] ?? 0) + value));
    for (let at = 0; at < slope.length; at++)
      slope[at] = (slope[at] ?? 0) * steepness(below.activation, output[at] ?? 0);
    slopes.unshift(slope);
  }
  return slopes;
}

/** Derivative by a layer's input, shape (numRecords, inputs), from that by what it has before its activation. */
export function slopeByInput(layer: DenseLayer, parameters: Float32Array, slope: Float64Array): Float64Array {
  const { inputs, units, kernelOffset } = layer;
  const numRecords = slope.length / units;
  const below = new Float64Array(numRecords * inputs);
  for (let row = 0; row < numRecords; row++)
    for (let i = 0; i < inputs; i++) {
      const weights = kernelOffset + i * units;
      let dot = 0;
      for (let j = 0; j < units; j++) dot += (slope[row * units + j] ?? 0) * (parameters[weights + j] ?? 0);
      below[row * inputs + i] = dot;
    }
  return below;
}

/** Adds a layer's derivative by its weights to its place in `out`, shape (numParams,). */
export function addDerivative(
  { inputs, units, kernelOffset, biasOffset }: DenseLayer,
  input: Float64Array,
  slope: Float64Array,
  out: Float64Array,
): void {
  const numRecords = slope.length / units;
  const terms = rowTerms(numRecords);
  for (let i = 0; i < inputs; i++) {
    terms.count = 0;
    for (let row = 0; row < numRecords; row++) addTerm(terms, row * units, input[row * inputs + i] ?? 0);
    addRows(out, { at: kernelOffset + i * units, width: units }, slope, terms);
  }
  terms.count = 0;
  for (let row = 0; row < numRecords; row++) addTerm(terms, row * units, 1);
  addRows(out, { at: biasOffset, width: units }, slope, terms);
}

function activated(activation: Activation, value: number): number {
  switch (activation) {
    case 'linear':
      return value;
    case 'relu':
      return value < 0 ? 0 : value;
    case 'tanh':
      return Math.tanh(value);
    case 'sigmoid':
      return 1 / (1 + Math.exp(-value));
    default:
      return assertNever(activation);
  }
}

/** An activation's slope, from its output. */
function steepness(activation: Activation, output: number): number {
  switch (activation) {
    case 'linear':
      return 1;
    case 'relu':
      return output === 0 ? 0 : 1;
    case 'tanh':
      return 1 - output * output;
    case 'sigmoid':
      return output * (1 - output);
    default:
      return assertNever(activation);
  }
}
