import type { Scalar, Tensor } from '@tensorflow/tfjs';
import { l2Norm } from '../../privacy/clip.ts';
import { type Backend, selectBackend, type Tf } from '../backend.ts';
import { type BuiltModel, buildModel } from '../build.ts';
import { numFeatures } from '../layout.ts';
import { assignParameters, parameterTensors } from '../parameters.ts';
import type { ModelSpec } from '../spec.ts';
import { clippingFactor, type Forward, type SiloEngine, type Slope, slopesOf } from './engine.ts';
import { ofSingle, pairsOf } from './single-logit.ts';

interface Room {
  readonly backend: Backend;
  readonly spec: ModelSpec;
  readonly built: BuiltModel;
}

/** An objective, in both of its parts. */
interface Slopes {
  readonly byLogits: Slope;
  readonly byRepresentations: Slope | undefined;
}

/**
 * Any model by tfjs. A step's objective comes from the host, in the middle of the tape: logits and representations are read back, and
 * its derivatives by them are what tfjs goes backwards from. Clipping takes one record after another. The model lives as long as
 * the engine.
 *
 * @throws MODEL_INVALID as `layoutOf`.
 */
export function generalEngine(spec: ModelSpec, backend: Backend): SiloEngine {
  selectBackend(backend);
  const room = { backend, spec, built: buildModel(backend.tf, spec) };
  const width = numFeatures(spec);
  return {
    provider: 'general',
    description: backend.description,
    logits: (records) => logitsOf(room, records),
    derivative: (records, byLogits, out, { clipNorm, byRepresentations } = {}) => {
      out.fill(0);
      const slopes = { byLogits, byRepresentations };
      if (clipNorm === undefined) {
        addTo(out, derivativeOf(room, records, slopes), 1);
        return;
      }
      const numRecords = records.features.length / width;
      const ofRow = rowSlopes(room, records, slopes);
      for (let row = 0; row < numRecords; row++) {
        const features = records.features.subarray(row * width, (row + 1) * width);
        const derivative = derivativeOf(room, { ...records, features }, ofRow(row));
        addTo(out, derivative, clippingFactor(l2Norm(derivative), clipNorm));
      }
    },
  };
}

/** Each record's share of the derivatives by logits and representations, which may depend on all records. */
function rowSlopes(
  room: Room,
  records: Forward,
  { byLogits, byRepresentations }: Slopes,
): (row: number) => Slopes {
  const numRecords = records.features.length / numFeatures(room.spec);
  const ofLogits = ownSlopes(byLogits, logitsOf(room, records), numRecords);
  const ofRepresentations =
    byRepresentations && ownSlopes(byRepresentations, representationsOf(room, records), numRecords);
  return (row) => ({ byLogits: ofLogits(row), byRepresentations: ofRepresentations?.(row) });
}

function ownSlopes(slope: Slope, values: Float32Array, numRecords: number): (row: number) => Slope {
  const all = slopesOf(slope, values);
  const width = all.length / numRecords;
  return (row) => (_, out) => {
    out.set(all.subarray(row * width, (row + 1) * width));
    return NaN;
  };
}

/** Derivative of all records together, shape (numParams,). */
function derivativeOf(room: Room, records: Forward, { byLogits, byRepresentations }: Slopes): Float32Array {
  const { backend, built, spec } = room;
  const { tf } = backend;
  const byOutput = spec.output.type === 'sigmoid' ? ofSingle(byLogits) : byLogits;
  return withParameters(room, records, (features) => {
    const objective = (): Scalar => {
      const representations = built.embed(features);
      const first = fromHost(tf, built.classify(representations), byOutput);
      if (!byRepresentations) return first;
      return tf.add<Scalar>(first, fromHost(tf, representations, byRepresentations));
    };
    const { grads } = tf.variableGrads(objective, [...built.variables]);
    const derivative = new Float32Array(records.parameters.length);
    for (const [index, { offset }] of built.layout.entries()) {
      const grad = grads[built.variables[index]?.name ?? ''];
      if (grad) derivative.set(grad.dataSync(), offset);
    }
    return derivative;
  });
}

/** A scalar on the tape: the host computes it, and its derivative, from a tensor's values. */
function fromHost(tf: Tf, values: Tensor, slope: Slope): Scalar {
  const onTape = tf.customGrad<Scalar>((input) => {
    const { shape } = input as Tensor;
    const read = valuesOf(input as Tensor);
    const byValues = new Float32Array(read.length);
    const value = tf.scalar(slope(read, byValues));
    return { value, gradFunc: () => tf.tensor(byValues, shape) };
  });
  return onTape(values);
}

/** Class scores of every record; those of a sigmoid output as pairs. */
function logitsOf(room: Room, records: Forward): Float32Array {
  const output = withParameters(room, records, (features) => valuesOf(room.built.forward(features)));
  return room.spec.output.type === 'sigmoid' ? pairsOf(output) : output;
}

function representationsOf(room: Room, records: Forward): Float32Array {
  return withParameters(room, records, (features) => valuesOf(room.built.embed(features)));
}

function valuesOf(tensor: Tensor): Float32Array {
  return Float32Array.from(tensor.dataSync());
}

function withParameters<T extends Float32Array>(
  { backend, built, spec }: Room,
  { parameters, features }: Forward,
  use: (features: Tensor) => T,
): T {
  const { tf } = backend;
  selectBackend(backend);
  let result: T | undefined;
  tf.tidy(() => {
    assignParameters(built, parameterTensors(tf, built, parameters));
    const width = numFeatures(spec);
    result = use(tf.tensor(features, [features.length / width, width]));
  });
  if (result === undefined) throw new TypeError('tfjs did not run');
  return result;
}

/** A factor of 0 leaves out what is not finite. */
function addTo(sum: Float64Array, values: Float32Array, factor: number): void {
  if (factor === 0) return;
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + factor * (values[i] ?? 0);
}
