import type { layers, Sequential, Tensor, Variable } from '@tensorflow/tfjs';
import { assertNever } from '../errors.ts';
import type { Tf } from './backend.ts';
import { layoutOf, numLogits, type ParameterLayout } from './layout.ts';
import type { LayerSpec, ModelSpec } from './spec.ts';

type Layer = layers.Layer;

/** A model that tfjs can run and differentiate. It owns tensors until `dispose`. */
export interface BuiltModel {
  readonly model: Sequential;
  /** The weights in the order of `layout`; zero until parameters are assigned. */
  readonly variables: readonly Variable[];
  readonly layout: ParameterLayout;
  /** Logits, shape (numRecords, numLogits), of features of shape (numRecords, numFeatures). */
  forward(features: Tensor): Tensor;
  /** Input of the output layer, shape (numRecords, its inputs). */
  embed(features: Tensor): Tensor;
  /** Logits of what `embed` gives. */
  classify(embedding: Tensor): Tensor;
  dispose(): void;
}

/**
 * Build a specification as a tfjs LayersModel that ends in logits, on tfjs's current backend. Every initialiser is zero:
 * tfjs's randomness is neither repeatable nor secure, and the parameters come from the round anyway.
 *
 * @throws MODEL_INVALID as `layoutOf`.
 */
export function buildModel(tf: Tf, spec: ModelSpec): BuiltModel {
  const layout = layoutOf(spec);
  const hidden: readonly Layer[] = spec.layers.map((layer) => makeLayer(tf, layer));
  const output = tf.layers.dense({ units: numLogits(spec), ...zeroDense });
  const input = tf.layers.inputLayer({ inputShape: [...spec.inputShape] });
  const model = tf.sequential({ layers: [input, ...hidden, output] });
  const embed = (features: Tensor): Tensor =>
    hidden.reduce(applyLayer, tf.reshape(features, [-1, ...spec.inputShape]));
  return {
    model,
    variables: model.weights.map((weight) => weight.read()).filter((weight) => isVariable(tf, weight)),
    layout,
    forward: (features) => applyLayer(embed(features), output),
    embed,
    classify: (embedding) => applyLayer(embedding, output),
    dispose: () => {
      model.dispose();
    },
  };
}

/** One layer without the bookkeeping of LayersModel.apply, which costs more than small layers compute. */
function applyLayer(input: Tensor, layer: Layer): Tensor {
  const output = layer.call(input, {});
  if (Array.isArray(output)) throw new TypeError(`layer ${layer.name} has several outputs`);
  return output;
}

function isVariable(tf: Tf, weight: Tensor): weight is Variable {
  return weight instanceof tf.Variable;
}

const zeroDense = { kernelInitializer: 'zeros', biasInitializer: 'zeros' } as const;

function makeLayer(tf: Tf, layer: LayerSpec): Layer {
  switch (layer.type) {
    case 'dense':
      return tf.layers.dense({ units: layer.units, activation: layer.activation, ...zeroDense });
    case 'conv2d':
      return tf.layers.conv2d({
        filters: layer.filters,
        kernelSize: layer.kernelSize,
        strides: layer.strides,
        padding: layer.padding,
        activation: layer.activation,
        ...zeroDense,
      });
    case 'maxPooling2d':
      return tf.layers.maxPooling2d({
        poolSize: layer.poolSize,
        strides: layer.strides ?? layer.poolSize,
      });
    case 'averagePooling2d':
      return tf.layers.averagePooling2d({
        poolSize: layer.poolSize,
        strides: layer.strides ?? layer.poolSize,
      });
    case 'flatten':
      return tf.layers.flatten();
    case 'embedding':
      return tf.layers.embedding({
        inputDim: layer.vocabularySize,
        outputDim: layer.units,
        embeddingsInitializer: 'zeros',
      });
    case 'gru':
      return tf.layers.gru({
        units: layer.units,
        recurrentActivation: 'sigmoid',
        recurrentInitializer: 'zeros',
        ...zeroDense,
      });
    case 'layerNormalization':
      return tf.layers.layerNormalization();
    default:
      return assertNever(layer);
  }
}
