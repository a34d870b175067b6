import type { Tensor } from '@tensorflow/tfjs';
import { l2Norm } from '../../privacy/clip.ts';
import { type Backend, selectBackend } from '../backend.ts';
import { type BuiltModel, buildModel } from '../build.ts';
import { numFeatures } from '../layout.ts';
import { assignParameters, parameterTensors } from '../parameters.ts';
import type { ModelSpec } from '../spec.ts';
import { clippingFactor, type Forward, type SiloEngine, type Slope } from './engine.ts';
import { pairsOf, slopesOfSingle } from './single-logit.ts';

interface Room {
  readonly backend: Backend;
  readonly spec: ModelSpec;
  readonly built: BuiltModel;
}

/**
 * Any model by tfjs. A step's objective comes from the host, in the middle of the tape: its logits are read back, and its derivative by
 * them is what tfjs goes backwards from. Clipping takes one record after another. The model lives as long as the engine.
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
    logits: (records) =>
      withParameters(room, records, (features) => read(room, room.built.forward(features))),
    derivative: (records, slope, out, clipNorm) => {
      out.fill(0);
      if (clipNorm === undefined) {
        addTo(out, derivativeOf(room, records, slope), 1);
        return;
      }
      const numRecords = records.features.length / width;
      const rows = rowSlopes(room, records, slope);
      for (let row = 0; row < numRecords; row++) {
        const features = records.features.subarray(row * width, (row + 1) * width);
        const own: Slope = (_, byLogits) => {
          byLogits.set(rows(row));
          return NaN;
        };
        const derivative = derivativeOf(room, { ...records, features }, own);
        addTo(out, derivative, clippingFactor(l2Norm(derivative), clipNorm));
      }
    },
  };
}

/** Each record's share of the derivative by the logits. */
function rowSlopes(room: Room, records: Forward, slope: Slope): (row: number) => Float32Array {
  const logits = withParameters(room, records, (features) => read(room, room.built.forward(features)));
  const byLogits = new Float32Array(logits.length);
  slope(logits, byLogits);
  const classes = (logits.length * numFeatures(room.spec)) / records.features.length;
  return (row) => byLogits.subarray(row * classes, (row + 1) * classes);
}

/** Derivative of all records together, shape (numParams,). */
function derivativeOf(room: Room, records: Forward, slope: Slope): Float32Array {
  const { backend, built } = room;
  const { tf } = backend;
  return withParameters(room, records, (features) => {
    const objective = tf.customGrad((logits) => {
      const values = read(room, logits as Tensor);
      const byLogits = new Float32Array(values.length);
      const value = slope(values, byLogits);
      const flat = room.spec.output.type === 'sigmoid' ? slopesOfSingle(byLogits) : byLogits;
      return { value: tf.scalar(value), gradFunc: () => tf.tensor(flat, (logits as Tensor).shape) };
    });
    const { grads } = tf.variableGrads(
      () => objective(built.forward(features)).asScalar(),
      [...built.variables],
    );
    const derivative = new Float32Array(records.parameters.length);
    for (const [index, { offset }] of built.layout.entries()) {
      const grad = grads[built.variables[index]?.name ?? ''];
      if (grad) derivative.set(grad.dataSync(), offset);
    }
    return derivative;
  });
}

/** Class scores of every record; those of a sigmoid output as pairs. */
function read({ spec }: Room, logits: Tensor): Float32Array {
  const values = Float32Array.from(logits.dataSync());
  return spec.output.type === 'sigmoid' ? pairsOf(values) : values;
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
