import type { Tensor } from '@tensorflow/tfjs';
import { z } from 'zod';
import { ParleyError } from '../errors.ts';
import { loadBackend, selectBackend } from './backend.ts';
import type { Logits } from './record-signals.ts';

/** model.json of a tfjs LayersModel, as far as it is read here. */
export const LayersModelFile = z.object({
  format: z.literal('layers-model').optional(),
  modelTopology: z.record(z.string(), z.unknown()),
  weightsManifest: z
    .array(
      z.object({
        paths: z.array(z.string().regex(/^[^/\\]+$/, 'a file beside model.json')),
        weights: z.array(
          z.object({ name: z.string(), shape: z.array(z.number().int()), dtype: z.literal('float32') }),
        ),
      }),
    )
    .min(1),
});
export type LayersModelFile = z.infer<typeof LayersModelFile>;

/** A model from elsewhere that answers with logits, or with probabilities whose logarithms serve as such. */
export interface ForeignModel {
  /** Values of one record: the product of the input's axes. */
  readonly numFeatures: number;
  /** Classes that it tells apart, >= 2; a single output stands for two. */
  readonly numClasses: number;
  /** Logits of features of shape (numRecords, numFeatures), row-major. */
  logits(features: Float32Array, numRecords: number): Logits;
  dispose(): void;
}

/**
 * Load a tfjs LayersModel with one input and one output, from model.json and its weights (`weightData`: the manifest's
 * files one after the other). Outputs of a last softmax or sigmoid become log-probabilities; all others count as logits.
 *
 * @throws MODEL_INVALID when tfjs cannot build it, when the weights are more or fewer bytes than it declares, when it has
 * several inputs or outputs, or its output is not one row of numbers of which at most one is a sigmoid's.
 */
export async function foreignModel(file: LayersModelFile, weightData: ArrayBuffer): Promise<ForeignModel> {
  const backend = await loadBackend('auto');
  const { tf } = backend;
  selectBackend(backend);
  const weightSpecs = file.weightsManifest.flatMap(({ weights }) => weights);
  refuseOtherSize(weightSpecs, weightData.byteLength);
  const artifacts = { modelTopology: file.modelTopology, weightSpecs, weightData };
  const model = await tf.loadLayersModel(tf.io.fromMemory(artifacts)).catch((cause: unknown) => {
    throw new ParleyError('MODEL_INVALID', `tfjs cannot load the model: ${text(cause)}`, { cause });
  });
  if (model.inputs.length !== 1 || model.outputs.length !== 1)
    throw new ParleyError('MODEL_INVALID', 'the model must have one input and one output');
  const last = model.layers.at(-1);
  const activation: unknown =
    last?.getClassName() === 'Softmax' ? 'softmax' : last?.getConfig()['activation'];
  const inputShape = (model.inputs[0]?.shape ?? []).slice(1).map((extent) => extent ?? 1);
  const width = outputWidth(model.outputs[0]?.shape ?? [], activation);
  return {
    numFeatures: inputShape.reduce((size, extent) => size * extent, 1),
    numClasses: Math.max(width, 2),
    logits: (features, numRecords) => {
      selectBackend(backend);
      const outputs = tf.tidy(() => {
        const output = model.predict(tf.tensor(features, [numRecords, ...inputShape])) as Tensor;
        return Float32Array.from(output.dataSync());
      });
      return logitsOf(Float64Array.from(outputs), numRecords, activation);
    },
    dispose: () => {
      model.dispose();
    },
  };
}

function refuseOtherSize(specs: readonly { readonly shape: readonly number[] }[], numBytes: number): void {
  const values = specs.reduce((sum, { shape }) => sum + shape.reduce((size, extent) => size * extent, 1), 0);
  if (4 * values !== numBytes)
    throw new ParleyError(
      'MODEL_INVALID',
      `the weight files hold ${numBytes} bytes, and the manifest declares ${values} float32 values, ${4 * values} bytes: ` +
        'take model.json and its weights from the same export',
    );
}

function outputWidth(shape: readonly (number | null)[], activation: unknown): number {
  const [, width] = shape;
  if (shape.length === 2 && typeof width === 'number' && (width === 1 || activation !== 'sigmoid'))
    return width;
  throw new ParleyError(
    'MODEL_INVALID',
    `the output has shape (${shape.map((extent) => extent ?? 'records').join(', ')}) and activation ${String(activation)}; ` +
      'expected one row of class scores a record: one sigmoid or logit, or one softmax or logits over all classes',
  );
}

function logitsOf(outputs: Float64Array, numRecords: number, activation: unknown): Logits {
  const width = outputs.length / numRecords;
  if (width === 1) return pairs(outputs, activation === 'sigmoid');
  const values = activation === 'softmax' ? outputs.map((p) => Math.log(Math.max(p, smallest))) : outputs;
  return { values, numClasses: width };
}

/** The smallest normal float32: a probability that float32 rounded to zero was below it. */
const smallest = 2 ** -126;

function pairs(outputs: Float64Array, areProbabilities: boolean): Logits {
  const values = new Float64Array(2 * outputs.length);
  for (const [record, output] of outputs.entries())
    values[2 * record + 1] = areProbabilities ? logit(output) : output;
  return { values, numClasses: 2 };
}

/** In float32 a probability within 2^-25 of 1 has become 1. */
function logit(probability: number): number {
  return Math.log(Math.max(probability, smallest)) - Math.log(Math.max(1 - probability, 2 ** -25));
}

function text(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
