import { layoutOf, numFeatures, numLogits } from './layout.ts';
import type { LayerSpec, ModelSpec } from './spec.ts';

export type Activation = Extract<LayerSpec, { type: 'dense' }>['activation'];

/** One dense layer inside the flat vector of parameters. */
export interface DenseLayer {
  readonly inputs: number;
  readonly units: number;
  readonly activation: Activation;
  /** Index of the kernel's first parameter; shape (inputs, units), row-major. */
  readonly kernelOffset: number;
  /** Index of the bias's first parameter; shape (units,). */
  readonly biasOffset: number;
}

/** The layers of a stack of dense layers, or why the model is not one. */
export type DenseStack =
  | { readonly type: 'dense'; readonly hidden: readonly DenseLayer[]; readonly output: DenseLayer }
  | { readonly type: 'other'; readonly reason: string };

/**
 * A model as a stack of dense layers on flat features, when it is one: dense layers only, after a flatten layer at most.
 *
 * @throws MODEL_INVALID as `layoutOf`.
 */
export function denseStack(spec: ModelSpec): DenseStack {
  const offsets = layoutOf(spec).map((block) => block.offset);
  const hidden: DenseLayer[] = [];
  let inputs = numFeatures(spec);
  const next = (units: number, activation: Activation): DenseLayer => {
    const [kernelOffset = 0, biasOffset = 0] = offsets.slice(2 * hidden.length);
    return { inputs, units, activation, kernelOffset, biasOffset };
  };
  for (const [index, layer] of spec.layers.entries()) {
    if (layer.type === 'dense') {
      hidden.push(next(layer.units, layer.activation));
      inputs = layer.units;
    } else if (layer.type !== 'flatten' || index > 0) {
      return { type: 'other', reason: `layer ${index} (${layer.type}) is not dense` };
    }
  }
  return { type: 'dense', hidden, output: next(numLogits(spec), 'linear') };
}
