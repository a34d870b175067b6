import { assertNever } from '../../../shared/errors.ts';
import type { Activation, DenseLayer } from '../../../shared/model/dense-layers.ts';

/**
 * The loops of dense layers on flat row-major arrays. `?? 0` stands for indices that are always in range and costs
 * nothing once compiled.
 */

/**
 * A sum of rows, times factors, that is about to be added to another row. Forward and descent are both made of these, and
 * only non-zero factors get in: one-hot features and ReLU outputs are mostly zeros.
 */
export interface RowTerms {
  /** Where each row starts in its array; shape (most terms,), as `factors`. */
  readonly offsets: Int32Array;
  readonly factors: Float64Array;
  /** Terms in use. */
  count: number;
}

/** Room for up to `most` terms. */
export function makeRowTerms(most: number): RowTerms {
  return { offsets: new Int32Array(most), factors: new Float64Array(most), count: 0 };
}

/** A layer with the room that its kernels need: `terms` for max(inputs, numRecords) rows. */
export interface DenseKernel {
  readonly layer: DenseLayer;
  readonly terms: RowTerms;
}

/** `out` (numRecords, units) = activation(`input` (numRecords, inputs) times kernel plus bias). */
export function forward(
  { layer, terms }: DenseKernel,
  parameters: Float32Array,
  rows: { readonly input: Float32Array; readonly numRecords: number },
  out: Float32Array,
): void {
  const { inputs, units, kernelOffset, biasOffset } = layer;
  const { input, numRecords } = rows;
  for (let row = 0; row < numRecords; row++) {
    const start = row * units;
    for (let j = 0; j < units; j++) out[start + j] = parameters[biasOffset + j] ?? 0;
    terms.count = 0;
    for (let i = 0; i < inputs; i++) {
      const x = input[row * inputs + i] ?? 0;
      if (x !== 0) addTerm(terms, kernelOffset + i * units, x);
    }
    addRows(out, { start, units }, parameters, terms);
  }
  activate(layer.activation, out, numRecords * units);
}

/** One plain SGD step on a layer: parameters = (1 - rate * l2) * parameters - rate * derivative of the mean loss. */
export function descend(
  { layer, terms }: DenseKernel,
  parameters: Float32Array,
  rows: { readonly input: Float32Array; readonly gradient: Float32Array; readonly numRecords: number },
  rates: { readonly learningRate: number; readonly l2: number },
): void {
  const { inputs, units, kernelOffset, biasOffset } = layer;
  const { input, gradient, numRecords } = rows;
  const { learningRate, l2 } = rates;
  if (l2 > 0) shrink(parameters, layer, 1 - learningRate * l2);
  for (let i = 0; i < inputs; i++) {
    terms.count = 0;
    for (let row = 0; row < numRecords; row++) {
      const x = input[row * inputs + i] ?? 0;
      if (x !== 0) addTerm(terms, row * units, -learningRate * x);
    }
    addRows(parameters, { start: kernelOffset + i * units, units }, gradient, terms);
  }
  terms.count = 0;
  for (let row = 0; row < numRecords; row++) addTerm(terms, row * units, -learningRate);
  addRows(parameters, { start: biasOffset, units }, gradient, terms);
}

function addTerm(terms: RowTerms, offset: number, factor: number): void {
  terms.offsets[terms.count] = offset;
  terms.factors[terms.count] = factor;
  terms.count += 1;
}

interface Row {
  readonly start: number;
  readonly units: number;
}

/** Add the terms, rows of `source`, to one row of `target`; four at a time, which spares loads and stores. */
function addRows(target: Float32Array, row: Row, source: Float32Array, terms: RowTerms): void {
  const { offsets, factors, count } = terms;
  let term = 0;
  for (; term + 4 <= count; term += 4) addFour(target, row, source, fourTerms(terms, term));
  for (; term < count; term++) {
    const offset = offsets[term] ?? 0;
    const factor = factors[term] ?? 0;
    for (let j = 0; j < row.units; j++) {
      target[row.start + j] = (target[row.start + j] ?? 0) + factor * (source[offset + j] ?? 0);
    }
  }
}

type FourTerms = ReturnType<typeof fourTerms>;

function addFour(target: Float32Array, { start, units }: Row, source: Float32Array, four: FourTerms): void {
  const { a, b, c, d, timesA, timesB, timesC, timesD } = four;
  for (let j = 0; j < units; j++) {
    target[start + j] =
      (target[start + j] ?? 0) +
      timesA * (source[a + j] ?? 0) +
      timesB * (source[b + j] ?? 0) +
      timesC * (source[c + j] ?? 0) +
      timesD * (source[d + j] ?? 0);
  }
}

function fourTerms({ offsets, factors }: RowTerms, term: number) {
  return {
    a: offsets[term] ?? 0,
    b: offsets[term + 1] ?? 0,
    c: offsets[term + 2] ?? 0,
    d: offsets[term + 3] ?? 0,
    timesA: factors[term] ?? 0,
    timesB: factors[term + 1] ?? 0,
    timesC: factors[term + 2] ?? 0,
    timesD: factors[term + 3] ?? 0,
  };
}

/**
 * Derivative by a layer's input: `below` (numRecords, inputs) = `gradient` (numRecords, units) times kernel transposed.
 */
export function backward(
  layer: DenseLayer,
  parameters: Float32Array,
  rows: { readonly gradient: Float32Array; readonly numRecords: number },
  below: Float32Array,
): void {
  const { inputs, units, kernelOffset } = layer;
  const { gradient, numRecords } = rows;
  for (let row = 0; row < numRecords; row++) {
    for (let i = 0; i < inputs; i++) {
      const weights = kernelOffset + i * units;
      let dot = 0;
      for (let j = 0; j < units; j++) {
        dot += (gradient[row * units + j] ?? 0) * (parameters[weights + j] ?? 0);
      }
      below[row * inputs + i] = dot;
    }
  }
}

function shrink(parameters: Float32Array, layer: DenseLayer, factor: number): void {
  const { inputs, units, kernelOffset, biasOffset } = layer;
  const kernelEnd = kernelOffset + inputs * units;
  for (let i = kernelOffset; i < kernelEnd; i++) parameters[i] = factor * (parameters[i] ?? 0);
  for (let i = biasOffset; i < biasOffset + units; i++) parameters[i] = factor * (parameters[i] ?? 0);
}

/** Apply an activation in place to the first `length` values. Non-finite values stay non-finite. */
export function activate(activation: Activation, values: Float32Array, length: number): void {
  switch (activation) {
    case 'linear':
      return;
    case 'relu':
      for (let i = 0; i < length; i++) if ((values[i] ?? 0) < 0) values[i] = 0;
      return;
    case 'tanh':
      for (let i = 0; i < length; i++) values[i] = Math.tanh(values[i] ?? 0);
      return;
    case 'sigmoid':
      for (let i = 0; i < length; i++) values[i] = 1 / (1 + Math.exp(-(values[i] ?? 0)));
      return;
    default:
      assertNever(activation);
  }
}

/** Multiply `gradient` in place by the activation's slope, taken from the activation's output. */
export function multiplySlope(
  activation: Activation,
  output: Float32Array,
  gradient: Float32Array,
  length: number,
): void {
  if (activation === 'linear') return;
  for (let i = 0; i < length; i++) {
    gradient[i] = (gradient[i] ?? 0) * slopeAt(activation, output[i] ?? 0);
  }
}

/** The first values of an array, one for each factor, times the factors; a copy. */
export function multiplyMask(values: Float32Array, factors: Float32Array): Float32Array {
  return factors.map((factor, i) => factor * (values[i] ?? 0));
}

function slopeAt(activation: Activation, output: number): number {
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
