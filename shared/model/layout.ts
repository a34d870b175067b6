import { assertNever, ParleyError } from '../errors.ts';
import type { LayerSpec, ModelSpec } from './spec.ts';

/** What a block of parameters is for; the initial values depend on it. */
export type ParameterRole = 'kernel' | 'recurrentKernel' | 'bias' | 'embeddings' | 'gamma' | 'beta';

/** One weight of the model inside the flat float32 vector of parameters. */
export interface ParameterBlock {
  /** Unique in the model: `layers.2.kernel`, `output.bias`. */
  readonly name: string;
  readonly role: ParameterRole;
  /** Row-major shape, as tfjs lays it out: dense (inputs, units), conv2d (height, width, inputs, filters). */
  readonly shape: readonly number[];
  /** Index of its first parameter. */
  readonly offset: number;
  /** Number of parameters, the product of `shape`. */
  readonly size: number;
}

/** The blocks in the order of the flat vector, without gaps: also the order of the tfjs model's weights. */
export type ParameterLayout = readonly ParameterBlock[];

/** Largest model that is laid out: 2^28 parameters, 1 GiB of float32. */
export const maxParams = 2 ** 28;

type Shape = readonly number[];

interface Placed {
  readonly weights: readonly (readonly [ParameterRole, Shape])[];
  readonly output: Shape;
}

/**
 * Where each weight of a model stands in the flat vector of parameters; needs no tensor library.
 *
 * @throws MODEL_INVALID when a layer does not fit what comes before it (a dense layer on images without `flatten`,
 * a kernel larger than its input), naming the layer's index and the reason; also above `maxParams` parameters.
 */
export function layoutOf(spec: ModelSpec): ParameterLayout {
  const blocks: ParameterBlock[] = [];
  let offset = 0;
  let shape: Shape = spec.inputShape;
  const append = (prefix: string, placed: Placed): void => {
    for (const [role, weightShape] of placed.weights) {
      const size = product(weightShape);
      blocks.push({ name: `${prefix}.${role}`, role, shape: weightShape, offset, size });
      offset += size;
    }
    shape = placed.output;
  };
  for (const [index, layer] of spec.layers.entries()) append(`layers.${index}`, place(layer, shape, index));
  append('output', placeOutput(spec, shape));
  if (offset > maxParams) {
    throw new ParleyError('MODEL_INVALID', `model: ${offset} parameters; at most ${maxParams} are supported`);
  }
  return blocks;
}

/** Number of parameters of a model, the length of its flat vector. @throws MODEL_INVALID as `layoutOf`. */
export function numParams(spec: ModelSpec): number {
  return layoutOf(spec).reduce((sum, block) => sum + block.size, 0);
}

/** Number of features of one record: the product of the input shape. */
export function numFeatures(spec: ModelSpec): number {
  return product(spec.inputShape);
}

/** Number of logits: 1 for `sigmoid`, one for each class for `softmax`. */
export function numLogits(spec: ModelSpec): number {
  return spec.output.type === 'sigmoid' ? 1 : spec.output.classes;
}

function placeOutput(spec: ModelSpec, shape: Shape): Placed {
  const [inputs] = shape;
  if (inputs === undefined || shape.length !== 1) {
    throw misfit(
      'output',
      spec.output.type,
      shape,
      'an input of shape (units); put a flatten layer before it',
    );
  }
  return placeDense(inputs, numLogits(spec));
}

function placeDense(inputs: number, units: number): Placed {
  return {
    weights: [
      ['kernel', [inputs, units]],
      ['bias', [units]],
    ],
    output: [units],
  };
}

function place(layer: LayerSpec, shape: Shape, index: number): Placed {
  const expected = expectation(layer, shape, index);
  if (expected !== undefined) throw misfit(`layer ${index}`, layer.type, shape, expected);
  const [first = 1, second = 1] = shape;
  switch (layer.type) {
    case 'dense':
      return placeDense(first, layer.units);
    case 'flatten':
      return { weights: [], output: [product(shape)] };
    case 'embedding':
      return {
        weights: [['embeddings', [layer.vocabularySize, layer.units]]],
        output: [first, layer.units],
      };
    case 'gru':
      return placeGru(second, layer.units);
    case 'layerNormalization':
      return placeNormalization(shape);
    case 'conv2d':
    case 'maxPooling2d':
    case 'averagePooling2d':
      return placeWindow(layer, shape);
    default:
      return assertNever(layer);
  }
}

/** What a layer expects of its place in the model, where that is not what it gets. */
function expectation(layer: LayerSpec, shape: Shape, index: number): string | undefined {
  switch (layer.type) {
    case 'dense':
      return unless(shape.length === 1, 'an input of shape (units); put a flatten layer before it');
    case 'flatten':
      return unless(shape.length > 1, 'an input with at least two axes; leave the flatten layer out');
    case 'embedding':
      return unless(
        shape.length === 1 && index === 0,
        'to be the first layer, on an input of shape (length) that holds token numbers',
      );
    case 'gru':
      return unless(shape.length === 2, 'an input of shape (length, features)');
    case 'layerNormalization':
      return undefined;
    case 'conv2d':
    case 'maxPooling2d':
    case 'averagePooling2d':
      return windowExpectation(layer, shape);
    default:
      return assertNever(layer);
  }
}

function unless(isMet: boolean, expected: string): string | undefined {
  return isMet ? undefined : expected;
}

function placeNormalization(shape: Shape): Placed {
  const last = shape.slice(-1);
  return {
    weights: [
      ['gamma', last],
      ['beta', last],
    ],
    output: shape,
  };
}

function placeGru(features: number, units: number): Placed {
  return {
    weights: [
      ['kernel', [features, 3 * units]],
      ['recurrentKernel', [units, 3 * units]],
      ['bias', [3 * units]],
    ],
    output: [units],
  };
}

type WindowLayer = Extract<LayerSpec, { type: 'conv2d' | 'maxPooling2d' | 'averagePooling2d' }>;

function windowExpectation(layer: WindowLayer, shape: Shape): string | undefined {
  if (shape.length !== 3) return 'an input of shape (height, width, channels)';
  const { size, isSame } = windowOf(layer);
  const largest = Math.min(...shape.slice(0, 2));
  return isSame || size <= largest ? undefined : `a window of at most ${largest}, not ${size}`;
}

function placeWindow(layer: WindowLayer, shape: Shape): Placed {
  const [height = 0, width = 0, channels = 0] = shape;
  const { size, strides, isSame } = windowOf(layer);
  const positions = (length: number): number =>
    isSame ? Math.ceil(length / strides) : Math.floor((length - size) / strides) + 1;
  const grid = [positions(height), positions(width)];
  if (layer.type !== 'conv2d') return { weights: [], output: [...grid, channels] };
  return {
    weights: [
      ['kernel', [size, size, channels, layer.filters]],
      ['bias', [layer.filters]],
    ],
    output: [...grid, layer.filters],
  };
}

interface Window {
  readonly size: number;
  readonly strides: number;
  readonly isSame: boolean;
}

function windowOf(layer: WindowLayer): Window {
  if (layer.type === 'conv2d') {
    return { size: layer.kernelSize, strides: layer.strides, isSame: layer.padding === 'same' };
  }
  return { size: layer.poolSize, strides: layer.strides ?? layer.poolSize, isSame: false };
}

function misfit(where: string, type: string, shape: Shape, expected: string): ParleyError {
  return new ParleyError(
    'MODEL_INVALID',
    `model, ${where} (${type}): got an input of shape (${shape.join(', ')}), expected ${expected}`,
  );
}

function product(shape: Shape): number {
  return shape.reduce((size, axis) => size * axis, 1);
}
