/** Some rows of a matrix with `width` columns. */
export function pickRows(values: Float32Array, rows: Int32Array, width: number): Float32Array {
  const picked = new Float32Array(rows.length * width);
  for (const [at, row] of rows.entries())
    picked.set(values.subarray(row * width, (row + 1) * width), at * width);
  return picked;
}

/** The labels of some records. */
export function pickLabels(labels: Int32Array, rows: Int32Array): Int32Array {
  return rows.map((row) => labels[row] ?? 0);
}
