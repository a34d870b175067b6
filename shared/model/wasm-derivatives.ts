import type * as tensorflow from '@tensorflow/tfjs';
import type { backend_util, KernelFunc, TensorInfo } from '@tensorflow/tfjs';
import { makeArena } from './kernels/arena.ts';
import {
  type Convolution,
  filterDerivative,
  inputDerivative,
  maxPoolDerivative,
  type Workshop,
} from './kernels/convolution.ts';
import { loadKernels, type WindowShape } from './kernels/kernels.ts';

type Tf = typeof tensorflow;

/**
 * What tfjs's wasm backend (4.22) lacks to train any model: the derivatives of convolutions by their filters and of embeddings.
 * What it does slowly: products with a transposed factor, derivatives of convolutions by their input. What it does wrongly:
 * the derivative of max pooling, which it drops where a window has no positive value. To be called once, after the backend has started, when its own
 * kernels have been set up.
 */
export function addWasmDerivatives(tf: Tf): void {
  const kernels = loadKernels();
  const workshop = { kernels, arena: makeArena(kernels) };
  replace(tf, 'Conv2DBackpropFilter', convolutionFilter(tf, workshop));
  replace(tf, 'Conv2DBackpropInput', convolutionInput(tf, workshop));
  replace(tf, 'MaxPoolGrad', maxPool(tf, workshop));
  replace(tf, 'UnsortedSegmentSum', segmentSum);
  const [product, transpose] = [tf.getKernel('BatchMatMul', 'wasm'), tf.getKernel('Transpose', 'wasm')];
  replace(tf, 'BatchMatMul', transposedFirst(product.kernelFunc, transpose.kernelFunc));
}

/** What of the wasm backend is used here: tensors on its heap. */
interface Heap {
  makeOutput(shape: readonly number[], dtype: 'float32'): TensorInfo;
  typedArrayFromHeap(tensor: TensorInfo): Float32Array;
  disposeData(dataId: object): boolean;
}

/** What tfjs hands to a kernel. */
interface Call<Inputs extends string, Attributes> {
  readonly inputs: Readonly<Record<Inputs, TensorInfo>>;
  readonly attrs: Attributes;
  readonly backend: Heap;
}

type Kernel<Inputs extends string, Attributes> = (call: Call<Inputs, Attributes>) => TensorInfo;

function replace<Inputs extends string, Attributes>(
  tf: Tf,
  kernelName: string,
  kernel: Kernel<Inputs, Attributes>,
): void {
  const isThere = tf.getKernelsForBackend('wasm').some((config) => config.kernelName === kernelName);
  if (isThere) tf.unregisterKernel(kernelName, 'wasm');
  // tfjs calls a kernel with the inputs and attributes that go with its name.
  tf.registerKernel({ kernelName, backendName: 'wasm', kernelFunc: kernel as unknown as KernelFunc });
}

type Shape4 = [number, number, number, number];

interface ConvolutionAttributes {
  readonly strides: number | [number, number];
  readonly pad: 'valid' | 'same' | number;
  readonly dataFormat: 'NHWC' | 'NCHW';
  readonly dimRoundingMode?: 'floor' | 'round' | 'ceil';
}

function convolutionOf(
  tf: Tf,
  { strides, pad, dimRoundingMode, dataFormat }: ConvolutionAttributes,
  [images, filters]: readonly [Shape4, Shape4],
): Convolution {
  if (dataFormat !== 'NHWC') throw new TypeError(`a convolution on ${dataFormat}; expected NHWC`);
  const at = tf.backend_util.computeConv2DInfo(images, filters, strides, 1, pad, dimRoundingMode);
  return { images: at.batchSize, filters: at.outChannels, windows: windowsOf(at) };
}

function windowsOf(at: backend_util.Conv2DInfo): WindowShape {
  const image = [at.inHeight, at.inWidth, at.inChannels] as const;
  const window = [at.filterHeight, at.filterWidth, at.strideHeight, at.strideWidth] as const;
  const zeros = [at.padInfo.top, at.padInfo.left] as const;
  return [...image, ...window, ...zeros, at.outHeight, at.outWidth];
}

function convolutionFilter(
  tf: Tf,
  workshop: Workshop,
): Kernel<'x' | 'dy', ConvolutionAttributes & { readonly filterShape: Shape4 }> {
  return ({ inputs: { x, dy }, attrs, backend }) => {
    const convolution = convolutionOf(tf, attrs, [x.shape as Shape4, attrs.filterShape]);
    const output = backend.makeOutput(attrs.filterShape, 'float32');
    filterDerivative(workshop, convolution, {
      images: backend.typedArrayFromHeap(x),
      derivatives: backend.typedArrayFromHeap(dy),
      target: backend.typedArrayFromHeap(output),
    });
    return output;
  };
}

function convolutionInput(
  tf: Tf,
  workshop: Workshop,
): Kernel<'dy' | 'filter', ConvolutionAttributes & { readonly inputShape: Shape4 }> {
  return ({ inputs: { dy, filter }, attrs, backend }) => {
    const convolution = convolutionOf(tf, attrs, [attrs.inputShape, filter.shape as Shape4]);
    const output = backend.makeOutput(attrs.inputShape, 'float32');
    inputDerivative(workshop, convolution, {
      filters: backend.typedArrayFromHeap(filter),
      derivatives: backend.typedArrayFromHeap(dy),
      target: backend.typedArrayFromHeap(output),
    });
    return output;
  };
}

interface PoolAttributes extends Pick<ConvolutionAttributes, 'strides' | 'pad' | 'dimRoundingMode'> {
  readonly filterSize: number | [number, number];
}

function maxPool(tf: Tf, workshop: Workshop): Kernel<'dy' | 'input', PoolAttributes> {
  return ({ inputs: { dy, input }, attrs: { filterSize, strides, pad, dimRoundingMode }, backend }) => {
    const shape = input.shape as Shape4;
    const at = tf.backend_util.computePool2DInfo(shape, filterSize, strides, 1, pad, dimRoundingMode);
    const output = backend.makeOutput(shape, 'float32');
    const values = {
      images: backend.typedArrayFromHeap(input),
      derivatives: backend.typedArrayFromHeap(dy),
      target: backend.typedArrayFromHeap(output),
    };
    maxPoolDerivative(workshop, { images: at.batchSize, windows: windowsOf(at) }, values);
    return output;
  };
}

/** Rows of x added up by segment; as everywhere in tfjs, a row of a segment that there is not adds nothing. */
function segmentSum({
  inputs: { x, segmentIds },
  attrs: { numSegments },
  backend,
}: Call<'x' | 'segmentIds', { readonly numSegments: number }>): TensorInfo {
  const output = backend.makeOutput([numSegments, ...x.shape.slice(1)], 'float32');
  const [sum, rows, ids] = [output, x, segmentIds].map((tensor) => backend.typedArrayFromHeap(tensor));
  if (sum === undefined || rows === undefined || ids === undefined) return output;
  sum.fill(0);
  const size = sum.length / numSegments;
  for (const [row, id] of ids.entries()) {
    if (id < 0 || id >= numSegments) continue;
    const [from, to] = [row * size, id * size];
    for (let i = 0; i < size; i++) sum[to + i] = (sum[to + i] ?? 0) + (rows[from + i] ?? 0);
  }
  return output;
}

/** tfjs's fast product takes factors as they lie only; a transposed copy costs far less than its other path. */
function transposedFirst(
  product: KernelFunc,
  transpose: KernelFunc,
): Kernel<'a' | 'b', { readonly transposeA: boolean; readonly transposeB: boolean }> {
  return ({ inputs: { a, b }, attrs: { transposeA, transposeB }, backend }) => {
    const copies: TensorInfo[] = [];
    const asItLies = (x: TensorInfo, isTransposed: boolean): TensorInfo => {
      if (!isTransposed) return x;
      const perm = [...x.shape.keys()];
      perm.push(...perm.splice(-2).toReversed());
      const copy = only(transpose({ inputs: { x }, attrs: { perm }, backend }));
      copies.push(copy);
      return copy;
    };
    const inputs = { a: asItLies(a, transposeA), b: asItLies(b, transposeB) };
    const output = only(product({ inputs, attrs: { transposeA: false, transposeB: false }, backend }));
    for (const { dataId } of copies) backend.disposeData(dataId);
    return output;
  };
}

function only(output: TensorInfo | TensorInfo[]): TensorInfo {
  const [first] = Array.isArray(output) ? output : [output];
  if (first === undefined) throw new TypeError('a tfjs kernel without an output');
  return first;
}
