/** Loops over rows of float32 values. Pointers and strides are in bytes; rows are padded to whole vectors of four. */

/** Every row of c (rows, columns) = scale * values; columns is a multiple of four. */
export function fillRows(rows: i32, columns: i32, c: usize, cRow: usize, values: usize, scale: f32): void {
  const factor = f32x4.splat(scale);
  for (let i = 0; i < rows; i++) {
    const to = c + <usize>i * cRow;
    for (let j = 0; j < columns; j += 4) {
      const at = <usize>j << 2;
      v128.store(to + at, f32x4.mul(factor, v128.load(values + at)));
    }
  }
}

/** c = alpha * a + beta * c over (rows, columns) values; with beta 0 c is not read. Columns is a multiple of four. */
export function combineRows(
  rows: i32, columns: i32, a: usize, aRow: usize, c: usize, cRow: usize, alpha: f32, beta: f32,
): void {
  const x = f32x4.splat(alpha);
  const y = f32x4.splat(beta);
  for (let i = 0; i < rows; i++) {
    const from = a + <usize>i * aRow;
    const to = c + <usize>i * cRow;
    for (let j = 0; j < columns; j += 4) {
      const at = <usize>j << 2;
      const scaled = f32x4.mul(x, v128.load(from + at));
      v128.store(to + at, beta == 0 ? scaled : f32x4.add(scaled, f32x4.mul(y, v128.load(to + at))));
    }
  }
}

/** The rows of c = the rows of a that `indices` (rows,) int32 names. */
export function gatherRows(
  rows: i32, bytes: i32, a: usize, aRow: usize, indices: usize, c: usize, cRow: usize,
): void {
  for (let i = 0; i < rows; i++) {
    const row = load<i32>(indices + (<usize>i << 2));
    memory.copy(c + <usize>i * cRow, a + <usize>row * aRow, bytes);
  }
}

/** c = alpha * sum of the rows of a (rows, columns) + beta * c; columns is a multiple of four. */
export function addRows(
  rows: i32, columns: i32, a: usize, aRow: usize, c: usize, alpha: f32, beta: f32,
): void {
  for (let j = 0; j < columns; j += 4) {
    const at = <usize>j << 2;
    let sum = f32x4.splat(0);
    for (let i = 0; i < rows; i++) sum = f32x4.add(sum, v128.load(a + <usize>i * aRow + at));
    sum = f32x4.mul(f32x4.splat(alpha), sum);
    v128.store(c + at, f32x4.add(f32x4.mul(f32x4.splat(beta), v128.load(c + at)), sum));
  }
}

/** Rows of `columns` values without gaps, from `from`, to padded rows at `to`, whose padding becomes zero. */
export function padRows(rows: i32, columns: i32, from: usize, to: usize, toRow: usize): void {
  const bytes = <usize>columns << 2;
  for (let i = 0; i < rows; i++) {
    const target = to + <usize>i * toRow;
    memory.copy(target, from + <usize>i * bytes, bytes);
    memory.fill(target + bytes, 0, toRow - bytes);
  }
}

/** Activations in place, and zero into the padding: 0 linear, 1 relu, 2 tanh, 3 sigmoid. Non-finite values stay non-finite. */
export function activate(kind: i32, rows: i32, columns: i32, c: usize, cRow: usize): void {
  for (let i = 0; i < rows; i++) {
    const row = c + <usize>i * cRow;
    switch (kind) {
      case 1:
        relu(columns, row);
        break;
      case 2:
        for (let j = 0; j < columns; j++) {
          const at = row + (<usize>j << 2);
          store<f32>(at, Mathf.tanh(load<f32>(at)));
        }
        break;
      case 3:
        for (let j = 0; j < columns; j++) {
          const at = row + (<usize>j << 2);
          store<f32>(at, 1 / (1 + Mathf.exp(-load<f32>(at))));
        }
        break;
    }
    clearPadding(columns, row, cRow);
  }
}

/** NaN is not below zero, so it stays, as it does in the comparison of the plain kernels. */
function relu(columns: i32, row: usize): void {
  const zero = f32x4.splat(0);
  const end = <usize>((columns + 3) & ~3) << 2;
  for (let at: usize = 0; at < end; at += 16) {
    const x = v128.load(row + at);
    v128.store(row + at, v128.andnot(x, f32x4.lt(x, zero)));
  }
}

function clearPadding(columns: i32, row: usize, stride: usize): void {
  for (let at = <usize>columns << 2; at < stride; at += 4) store<f32>(row + at, 0);
}

/** `gradient` times the activation's slope, from the activation's output; zero into the padding. Kinds as in `activate`. */
export function multiplySlope(
  kind: i32, rows: i32, columns: i32, output: usize, gradient: usize, row: usize,
): void {
  const one = f32x4.splat(1);
  const zero = f32x4.splat(0);
  const end = <usize>((columns + 3) & ~3) << 2;
  for (let i = 0; i < rows; i++) {
    for (let at: usize = 0; at < end; at += 16) {
      const y = v128.load(output + at);
      const g = v128.load(gradient + at);
      let slope = one;
      // A product, not a mask: a gradient that is not finite must show, even where relu is flat.
      if (kind == 1) slope = v128.and(one, f32x4.ne(y, zero));
      else if (kind == 2) slope = f32x4.sub(one, f32x4.mul(y, y));
      else if (kind == 3) slope = f32x4.mul(y, f32x4.sub(one, y));
      v128.store(gradient + at, f32x4.mul(g, slope));
    }
    clearPadding(columns, gradient, row);
    output += row;
    gradient += row;
  }
}
