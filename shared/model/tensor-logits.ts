import { type Backend, selectBackend } from './backend.ts';
import { buildModel } from './build.ts';
import type { Outputs } from './dense-logits.ts';
import { numFeatures } from './layout.ts';
import { assignParameters, parameterTensors } from './parameters.ts';
import type { ModelSpec } from './spec.ts';

/** A model with fixed parameters, ready to be run. It owns tensors until `dispose`. */
export interface TensorLogits {
  /** float32 outputs of features of shape (numRecords, numFeatures). */
  run(features: Float32Array): Outputs;
  dispose(): void;
}

/** Logits of any model by tfjs, on a backend that need not be able to differentiate it. */
export function tensorLogits(spec: ModelSpec, parameters: Float32Array, backend: Backend): TensorLogits {
  const { tf } = backend;
  selectBackend(backend);
  const built = buildModel(tf, spec);
  const values = parameterTensors(tf, built, parameters);
  assignParameters(built, values);
  tf.dispose(values);
  const width = numFeatures(spec);
  return {
    run: (features) => {
      selectBackend(backend);
      return tf.tidy(() => {
        const embedding = built.embed(tf.tensor(features, [features.length / width, width]));
        const logits = built.classify(embedding);
        return {
          embedding: Float32Array.from(embedding.dataSync()),
          logits: Float32Array.from(logits.dataSync()),
        };
      });
    },
    dispose: () => {
      built.dispose();
    },
  };
}
