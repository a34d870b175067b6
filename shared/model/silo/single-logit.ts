/** Logits z of a sigmoid output as pairs (0, z): shape (numRecords,) to (numRecords, 2). */
export function pairsOf(single: Float32Array): Float32Array {
  const pairs = new Float32Array(2 * single.length);
  for (const [row, value] of single.entries()) pairs[2 * row + 1] = value;
  return pairs;
}

/** Derivatives by z from those by the pairs (0, z). */
export function slopesOfSingle(pairs: Float32Array): Float32Array {
  return Float32Array.from({ length: pairs.length / 2 }, (_, row) => pairs[2 * row + 1] ?? 0);
}
