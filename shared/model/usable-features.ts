import type { ModelSpec } from './spec.ts';

/**
 * Index of the first feature value that a model cannot take, or -1: non-finite ones, and for a model that begins with an
 * embedding whatever is not a token number 0 .. vocabularySize - 1. Tensor backends would read on beside the table, or
 * lose a NaN in a pooling window, without a word.
 */
export function firstUnusable(spec: ModelSpec, features: Float32Array): number {
  const first = spec.layers.at(0);
  if (first?.type !== 'embedding') return firstNonFinite(features);
  return features.findIndex(
    (token) => !Number.isInteger(token) || token < 0 || token >= first.vocabularySize,
  );
}

/** Index of the first NaN or infinite value, or -1; quick where there is none: every scoring looks at all of a site's audit records. */
function firstNonFinite(values: Float32Array): number {
  let zero = 0;
  for (let at = 0; at < values.length; at++) zero += (values[at] ?? 0) * 0;
  return zero === 0 ? -1 : values.findIndex((value) => !Number.isFinite(value));
}
