import { z } from 'zod';

/**
 * Any model is data: an input shape, hidden layers and an output. The specification travels in the plan, so a site can
 * check it against its policy before anything is built.
 */

const positive = z.number().int().positive();
const activation = z.enum(['linear', 'relu', 'tanh', 'sigmoid']).default('linear');

export const LayerSpec = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('dense'), units: positive, activation }),
  z.strictObject({
    type: z.literal('conv2d'),
    filters: positive,
    kernelSize: positive,
    strides: positive.default(1),
    padding: z.enum(['valid', 'same']).default('valid'),
    activation,
  }),
  z.strictObject({ type: z.literal('maxPooling2d'), poolSize: positive, strides: positive.optional() }),
  z.strictObject({ type: z.literal('averagePooling2d'), poolSize: positive, strides: positive.optional() }),
  z.strictObject({ type: z.literal('flatten') }),
  z.strictObject({ type: z.literal('embedding'), vocabularySize: positive, units: positive }),
  z.strictObject({ type: z.literal('gru'), units: positive }),
  z.strictObject({ type: z.literal('layerNormalization') }),
]);
export type LayerSpec = z.infer<typeof LayerSpec>;

export const ModelSpec = z.strictObject({
  /** Shape of one record without the batch axis; its product is the number of features. */
  inputShape: z.array(positive).min(1).max(3),
  layers: z.array(LayerSpec).max(64).default([]),
  /** `sigmoid` has one logit and two classes (the logit pair is (0, z)); `softmax` has one logit for each class. */
  output: z.discriminatedUnion('type', [
    z.strictObject({ type: z.literal('sigmoid') }),
    z.strictObject({ type: z.literal('softmax'), classes: positive.min(2) }),
  ]),
});
export type ModelSpec = z.infer<typeof ModelSpec>;

/** Whether records have an embedding: something is learnt before the output layer. */
export function hasHiddenLayer(spec: ModelSpec): boolean {
  return spec.layers.some(({ type }) => type !== 'flatten');
}

/** Number of classes that the model tells apart, >= 2. */
export function numClasses(spec: ModelSpec): number {
  return spec.output.type === 'sigmoid' ? 2 : spec.output.classes;
}
