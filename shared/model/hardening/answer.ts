/** What a finished model answers to one record. */
export interface Answer {
  /** Class index; the model's own unless noise was added, however the probabilities were changed. */
  readonly label: number;
  /** Shape (numClasses,), in [0, 1]; rounded and shortened ones need not sum to 1. */
  readonly probabilities: Float64Array;
}

/** The answer that a model's logits, shape (numClasses,), make. A sigmoid output gives the pair (0, z). */
export function answerOf(logits: ArrayLike<number>): Answer {
  const probabilities = softmax(Float64Array.from(logits));
  return { label: firstLargest(probabilities), probabilities };
}

/** exp over its sum, without overflow. */
export function softmax(logits: Float64Array): Float64Array {
  const largest = logits.reduce((most, value) => Math.max(most, value), -Infinity);
  const powers = logits.map((value) => Math.exp(value - largest));
  const sum = powers.reduce((total, value) => total + value, 0);
  return powers.map((value) => value / sum);
}

/** Index of the first largest value. */
export function firstLargest(values: Float64Array): number {
  return values.reduce((best, value, i) => (value > (values[best] ?? -Infinity) ? i : best), 0);
}

/** Indices from the largest value to the smallest; of equal ones the `first` index comes first, then the lower. */
export function descending(values: Float64Array, first: number): number[] {
  const order = Array.from(values.keys());
  const precedes = (index: number): number => (index === first ? -1 : index);
  return order.sort((a, b) => (values[b] ?? 0) - (values[a] ?? 0) || precedes(a) - precedes(b));
}
