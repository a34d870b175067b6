import { z } from 'zod';
import { ParleyError } from '../errors.ts';
import { embeddingNames, type Signals, signalNames } from '../model/signals.ts';
import { ModelSpec } from '../model/spec.ts';
import type { NoisedUpdate } from '../privacy/update.ts';
import { f32, finite, i32, onlyThese } from './expected-tensors.ts';
import { parsedJson } from './json.ts';
import {
  decodeTensors,
  encodedBytes,
  encodeTensors,
  type Tensor,
  type TensorFile,
  type TensorShape,
} from './safetensors.ts';

/**
 * Updates, signals and models as safetensors bytes. Of all updates only the noised one has an encoder, so an un-noised
 * one cannot be sent.
 */

/** Bytes of one noised update, shape (numParams,), int32 in grid units. */
export function encodedUpdate(update: NoisedUpdate): Uint8Array {
  return encodeTensors([{ name: 'update', dtype: 'I32', shape: [update.length], data: update }]);
}

/** Exact size of an encoded update. */
export function updateBytes(numParams: number): number {
  return encodedBytes([{ name: 'update', dtype: 'I32', shape: [numParams] }]);
}

/**
 * A received update, shape (numParams,), int32 in grid units. It stays where it is: `bytes` are the caller's own, and nobody
 * changes them afterwards.
 *
 * @throws WRONG_SHAPE when the bytes are anything but one such vector.
 */
export function decodedUpdate(bytes: Uint8Array, numParams: number): Int32Array {
  const file = decodeTensors(bytes, 'owned');
  onlyThese(file, ['update']);
  return i32(file, 'update', [numParams]);
}

/** How large the signals of a site's audit users are. */
export interface SignalsShape {
  readonly numRecords: number;
  readonly numUsers: number;
  /** Whether the model has a hidden layer, and users have columns of their own. */
  readonly hasEmbedding: boolean;
}

/** Bytes of the signals of a site's audit users: columns of shape (numRecords,), and of embeddings (numUsers,). */
export function encodedSignals(signals: Signals): Uint8Array {
  const column = (name: string, values: Float32Array): Tensor => {
    const data = finite(values, `signal ${name}`);
    return { name, dtype: 'F32', shape: [data.length], data };
  };
  const { embedding } = signals;
  return encodeTensors([
    ...signalNames.map((name) => column(name, signals[name])),
    ...(embedding ? embeddingNames.map((name) => column(columnName(name), embedding[name])) : []),
  ]);
}

/** Exact size of encoded signals. */
export function signalsBytes({ numRecords, numUsers, hasEmbedding }: SignalsShape): number {
  const column = (name: string, length: number): TensorShape => ({ name, dtype: 'F32', shape: [length] });
  return encodedBytes([
    ...signalNames.map((name) => column(name, numRecords)),
    ...(hasEmbedding ? embeddingNames.map((name) => column(columnName(name), numUsers)) : []),
  ]);
}

/**
 * Received signals: columns of shape (numRecords,), and of embeddings (numUsers,).
 *
 * @throws WRONG_SHAPE for other columns or lengths; NON_FINITE for a value that is not a finite number.
 */
export function decodedSignals(bytes: Uint8Array, shape: SignalsShape): Signals {
  const file = decodeTensors(bytes);
  onlyThese(file, [...signalNames, ...(shape.hasEmbedding ? embeddingNames.map(columnName) : [])]);
  const column = (name: string, length: number): Float32Array =>
    finite(f32(file, name, [length]), `signal ${name}`);
  const ofRecords = (name: (typeof signalNames)[number]): Float32Array => column(name, shape.numRecords);
  const ofUsers = (name: (typeof embeddingNames)[number]): Float32Array =>
    column(columnName(name), shape.numUsers);
  return {
    loss: ofRecords('loss'),
    margin: ofRecords('margin'),
    hinge: ofRecords('hinge'),
    entropy: ofRecords('entropy'),
    modifiedEntropy: ofRecords('modifiedEntropy'),
    ...(shape.hasEmbedding && {
      embedding: {
        compactness: ofUsers('compactness'),
        pair: ofUsers('pair'),
        separation: ofUsers('separation'),
      },
    }),
  };
}

function columnName(name: (typeof embeddingNames)[number]): string {
  return `embedding.${name}`;
}

/** Where one tensor of a model lies in the flat parameters: `size` elements from `offset`, the product of `shape`. */
export interface LayoutEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly size: number;
}

/**
 * Bytes of a model with parameters of shape (numParams,): one named tensor for each layout entry, readable from Python;
 * the metadata hold the specification and the order of the tensors in the flat parameters. Equal models have equal bytes.
 *
 * @throws NON_FINITE for a parameter that is not a finite number; WRONG_SHAPE when the layout does not cover the parameters.
 */
export function encodedModel(
  parameters: Float32Array,
  spec: ModelSpec,
  layout: readonly LayoutEntry[],
): Uint8Array {
  if (covered(layout) !== parameters.length)
    throw new ParleyError(
      'WRONG_SHAPE',
      `the layout covers ${covered(layout)} parameters, there are ${parameters.length}`,
    );
  finite(parameters, 'the model');
  return encodeTensors(
    layout.map(({ name, shape, offset, size }) => ({
      name,
      dtype: 'F32',
      shape,
      data: parameters.subarray(offset, offset + size),
    })),
    { order: JSON.stringify(layout.map(({ name }) => name)), spec: specJson(spec) },
  );
}

/**
 * Flat parameters of a model file, shape (numParams,).
 *
 * @throws WRONG_SHAPE when the file is no model or has another number of parameters; NON_FINITE as above.
 */
export function decodedModel(bytes: Uint8Array, numParams: number): Float32Array {
  const file = decodeTensors(bytes);
  const order = tensorOrder(file);
  const parts = order.map((name) => f32(file, name));
  const total = parts.reduce((sum, part) => sum + part.length, 0);
  if (total !== numParams)
    throw new ParleyError('WRONG_SHAPE', `the model file has ${total} parameters, expected ${numParams}`);
  const parameters = new Float32Array(total);
  let offset = 0;
  for (const part of parts) {
    parameters.set(part, offset);
    offset += part.length;
  }
  return finite(parameters, 'the model');
}

/**
 * The specification of the model in a model file.
 *
 * @throws WRONG_SHAPE when the file is no model, or its metadata hold no specification.
 */
export function decodedSpec(bytes: Uint8Array): ModelSpec {
  const spec = ModelSpec.safeParse(parsedJson(decodeTensors(bytes).metadata['spec'] ?? ''));
  if (spec.success) return spec.data;
  throw new ParleyError('WRONG_SHAPE', "the model file's metadata hold no model specification");
}

const Names = z.array(z.string()).refine((names) => new Set(names).size === names.length);

function tensorOrder(file: TensorFile): string[] {
  const order = Names.safeParse(parsedJson(file.metadata['order'] ?? ''));
  if (!order.success)
    throw new ParleyError('WRONG_SHAPE', "the model file's metadata do not say the order of its tensors");
  onlyThese(file, order.data);
  return order.data;
}

// Parsing puts the fields into the schema's order, whoever wrote them.
function specJson(spec: ModelSpec): string {
  return JSON.stringify(ModelSpec.parse(spec));
}

function covered(layout: readonly LayoutEntry[]): number {
  return layout.reduce((end, { name, offset, size }) => {
    if (offset !== end)
      throw new ParleyError('WRONG_SHAPE', `${name} of the layout starts at ${offset} instead of ${end}`);
    return end + size;
  }, 0);
}
