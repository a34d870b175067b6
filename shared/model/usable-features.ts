import type { ModelSpec } from './spec.ts';

/**
 * Index of the first feature value that a model cannot take, or -1: non-finite ones, and for a model that begins with an
 * embedding whatever is not a token number 0 .. vocabularySize - 1. Tensor backends would read on beside the table, or
 * lose a NaN in a pooling window, without a word.
 */
export function firstUnusable(spec: ModelSpec, features: Float32Array): number {
  const first = spec.layers.at(0);
  if (first?.type !== 'embedding') return features.findIndex((value) => !Number.isFinite(value));
  return features.findIndex(
    (token) => !Number.isInteger(token) || token < 0 || token >= first.vocabularySize,
  );
}
