/**
 * Solve A x = b for a symmetric positive definite A, shape (n, n) row-major, by Cholesky; in float64. A is not changed. A
 * pivot that is not positive (rounding, of a nearly singular A) counts as the smallest positive one that keeps x finite.
 */
export function solved(matrix: Float64Array, right: Float64Array): Float64Array {
  const n = right.length;
  const factor = choleskyFactor(matrix, n);
  const at = (row: number, column: number): number => factor[row * n + column] ?? 0;
  const x = right.slice();
  for (let row = 0; row < n; row++) {
    let rest = x[row] ?? 0;
    for (let k = 0; k < row; k++) rest -= at(row, k) * (x[k] ?? 0);
    x[row] = rest / at(row, row);
  }
  for (let row = n - 1; row >= 0; row--) {
    let rest = x[row] ?? 0;
    for (let k = row + 1; k < n; k++) rest -= at(k, row) * (x[k] ?? 0);
    x[row] = rest / at(row, row);
  }
  return x;
}

/** Lower triangular, shape (n, n). */
function choleskyFactor(matrix: Float64Array, n: number): Float64Array {
  const factor = new Float64Array(n * n);
  const at = (row: number, column: number): number => factor[row * n + column] ?? 0;
  for (let row = 0; row < n; row++)
    for (let column = 0; column <= row; column++) {
      let sum = matrix[row * n + column] ?? 0;
      for (let k = 0; k < column; k++) sum -= at(row, k) * at(column, k);
      const isDiagonal = row === column;
      factor[row * n + column] = isDiagonal ? Math.sqrt(Math.max(sum, leastPivot)) : sum / at(column, column);
    }
  return factor;
}

const leastPivot = 1e-12;

/**
 * Weighted normal equations of a linear model with intercept in column 0: X' W X + ridge (not on the intercept), shape
 * (n, n) row-major, for rows of `features`, shape (numRows, n), and weights, shape (numRows,).
 */
export function normalMatrix(features: Float64Array, weights: Float64Array, ridge: number): Float64Array {
  const n = features.length / weights.length;
  const matrix = new Float64Array(n * n);
  const whole = weights.length - (weights.length % 4);
  for (let row = 0; row < whole; row += 4)
    addOuterSquares(matrix, features.subarray(row * n, (row + 4) * n), weights.subarray(row, row + 4));
  for (let row = whole; row < weights.length; row++)
    addOuterSquare(matrix, features.subarray(row * n, (row + 1) * n), weights[row] ?? 0);
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < i; j++) matrix[j * n + i] = matrix[i * n + j] ?? 0;
    if (i > 0) matrix[i * n + i] = (matrix[i * n + i] ?? 0) + ridge;
  }
  return matrix;
}

/** Lower triangle of `matrix` += weight * x x', for x of shape (n,). */
function addOuterSquare(matrix: Float64Array, x: Float64Array, weight: number): void {
  const n = x.length;
  for (let i = 0; i < n; i++) {
    const scaled = weight * (x[i] ?? 0);
    const to = i * n;
    for (let j = 0; j <= i; j++) matrix[to + j] = (matrix[to + j] ?? 0) + scaled * (x[j] ?? 0);
  }
}

/** The same of four rows, shape (4, n), with their weights: the matrix is read and written once for all of them. */
function addOuterSquares(matrix: Float64Array, rows: Float64Array, weights: Float64Array): void {
  const n = rows.length / 4;
  for (let i = 0; i < n; i++) {
    const [a, b] = [valueAt(weights, 0) * valueAt(rows, i), valueAt(weights, 1) * valueAt(rows, n + i)];
    const [c, d] = [
      valueAt(weights, 2) * valueAt(rows, 2 * n + i),
      valueAt(weights, 3) * valueAt(rows, 3 * n + i),
    ];
    const to = i * n;
    for (let j = 0; j <= i; j++) {
      const two = a * valueAt(rows, j) + b * valueAt(rows, n + j);
      const others = c * valueAt(rows, 2 * n + j) + d * valueAt(rows, 3 * n + j);
      matrix[to + j] = valueAt(matrix, to + j) + two + others;
    }
  }
}

function valueAt(values: Float64Array, index: number): number {
  return values[index] ?? 0;
}

/** X' v, shape (n,), of `features`, shape (numRows, n), and `values`, shape (numRows,). */
export function transposedTimes(features: Float64Array, values: Float64Array): Float64Array {
  const n = features.length / values.length;
  const product = new Float64Array(n);
  for (let row = 0; row < values.length; row++) {
    const value = values[row] ?? 0;
    for (let i = 0; i < n; i++) product[i] = (product[i] ?? 0) + value * (features[row * n + i] ?? 0);
  }
  return product;
}

/** X w, shape (numRows,), of `features`, shape (numRows, n), and coefficients, shape (n,). */
export function times(features: Float64Array, coefficients: Float64Array): Float64Array {
  const n = coefficients.length;
  const product = new Float64Array(features.length / n);
  for (let row = 0; row < product.length; row++) {
    let sum = 0;
    for (let i = 0; i < n; i++) sum += (features[row * n + i] ?? 0) * (coefficients[i] ?? 0);
    product[row] = sum;
  }
  return product;
}

/** Features of some users with the intercept first, shape (users.length, columns + 1), from columns of shape (numUsers,). */
export function rowsOf(columns: readonly Float64Array[], users: Int32Array): Float64Array {
  const width = columns.length + 1;
  const rows = new Float64Array(users.length * width);
  for (let row = 0; row < users.length; row++) rows[row * width] = 1;
  for (const [index, column] of columns.entries())
    for (let row = 0; row < users.length; row++) rows[row * width + index + 1] = column[users[row] ?? 0] ?? 0;
  return rows;
}
