import type { Slope } from './engine.ts';

/** Logits z of a sigmoid output as pairs (0, z): shape (numRecords,) to (numRecords, 2). */
export function pairsOf(single: Float32Array): Float32Array {
  const pairs = new Float32Array(2 * single.length);
  for (const [row, value] of single.entries()) pairs[2 * row + 1] = value;
  return pairs;
}

/** By z what is given by the pairs (0, z). */
export function ofSingle(byPairs: Slope): Slope {
  return (single, out) => {
    const pairs = pairsOf(single);
    const slopes = new Float32Array(pairs.length);
    const value = byPairs(pairs, slopes);
    for (let row = 0; row < out.length; row++) out[row] = slopes[2 * row + 1] ?? 0;
    return value;
  };
}
