/**
 * Everything that decides a norm or enters a sum: float64 throughout, from float32 factors whose products are exact there.
 * Pointers and strides are in bytes.
 */

import { wideMadd } from './madd';

/** `to` (rows, columns) float64 = `from` float32; columns is a multiple of four. */
export function widen(rows: i32, columns: i32, from: usize, fromRow: usize, to: usize, toRow: usize): void {
  for (let i = 0; i < rows; i++) {
    let source = from + <usize>i * fromRow;
    let target = to + <usize>i * toRow;
    for (let j = 0; j < columns; j += 2) {
      v128.store(target, f64x2.promote_low_f32x4(v128.load64_zero(source)));
      source += 8;
      target += 16;
    }
  }
}

/**
 * Gram matrix: c[i, j] = a[i] . b[j] for j <= first + i, all float64; rows of k, a multiple of four.
 */
export function gram(
  m: i32, first: i32, k: i32, a: usize, b: usize, row: usize, c: usize, cRow: usize,
): void {
  const end = <usize>k << 3;
  for (let i = 0; i < m; i++) {
    const left = a + <usize>i * row;
    const to = c + <usize>i * cRow;
    const count = first + i + 1;
    let j = 0;
    for (; j + 4 <= count; j += 4) fourWideDots(left, b + <usize>j * row, row, end, to + (<usize>j << 3));
    for (; j < count; j++) {
      const right = b + <usize>j * row;
      let s0 = f64x2.splat(0), s1 = f64x2.splat(0);
      for (let p: usize = 0; p < end; p += 32) {
        s0 = wideMadd(v128.load(left + p), v128.load(right + p), s0);
        s1 = wideMadd(v128.load(left + p, 16), v128.load(right + p, 16), s1);
      }
      store<f64>(to + (<usize>j << 3), wideTotal(f64x2.add(s0, s1)));
    }
  }
}

function fourWideDots(left: usize, b0: usize, row: usize, end: usize, to: usize): void {
  const b1 = b0 + row;
  const b2 = b1 + row;
  const b3 = b2 + row;
  let s0 = f64x2.splat(0), s1 = f64x2.splat(0), s2 = f64x2.splat(0), s3 = f64x2.splat(0);
  let t0 = f64x2.splat(0), t1 = f64x2.splat(0), t2 = f64x2.splat(0), t3 = f64x2.splat(0);
  for (let p: usize = 0; p < end; p += 32) {
    const x = v128.load(left + p);
    const y = v128.load(left + p, 16);
    s0 = wideMadd(x, v128.load(b0 + p), s0);
    t0 = wideMadd(y, v128.load(b0 + p, 16), t0);
    s1 = wideMadd(x, v128.load(b1 + p), s1);
    t1 = wideMadd(y, v128.load(b1 + p, 16), t1);
    s2 = wideMadd(x, v128.load(b2 + p), s2);
    t2 = wideMadd(y, v128.load(b2 + p, 16), t2);
    s3 = wideMadd(x, v128.load(b3 + p), s3);
    t3 = wideMadd(y, v128.load(b3 + p, 16), t3);
  }
  store<f64>(to, wideTotal(f64x2.add(s0, t0)));
  store<f64>(to, wideTotal(f64x2.add(s1, t1)), 8);
  store<f64>(to, wideTotal(f64x2.add(s2, t2)), 16);
  store<f64>(to, wideTotal(f64x2.add(s3, t3)), 24);
}

@inline
function wideTotal(x: v128): f64 {
  return f64x2.extract_lane(x, 0) + f64x2.extract_lane(x, 1);
}

/** Copy the lower triangle of a (size, size) float64 matrix to the upper one. */
export function mirror(size: i32, c: usize, cRow: usize): void {
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < i; j++) {
      store<f64>(c + <usize>j * cRow + (<usize>i << 3), load<f64>(c + <usize>i * cRow + (<usize>j << 3)));
    }
  }
}

/** `to` (rows, columns) float32 = `from` float64 plus one, the one for the bias. */
export function narrowPlusOne(
  rows: i32, columns: i32, from: usize, fromRow: usize, to: usize, toRow: usize,
): void {
  for (let i = 0; i < rows; i++) {
    const source = from + <usize>i * fromRow;
    const target = to + <usize>i * toRow;
    for (let j = 0; j < columns; j++) {
      store<f32>(target + (<usize>j << 2), <f32>(load<f64>(source + (<usize>j << 3)) + 1));
    }
  }
}

/**
 * Squared norm of sum_i [h_i, 1] d_i' from the Gram matrices of h and d, lower triangles (size, size): sum_ij (H_ij + 1) D_ij.
 */
export function factoredNorm(size: i32, h: usize, hRow: usize, d: usize, dRow: usize): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < size; i++) {
    const left = h + <usize>i * hRow;
    const right = d + <usize>i * dRow;
    let others: f64 = 0;
    for (let j = 0; j < i; j++) {
      const at = <usize>j << 3;
      others += (load<f64>(left + at) + 1) * load<f64>(right + at);
    }
    const at = <usize>i << 3;
    sum += 2 * others + (load<f64>(left + at) + 1) * load<f64>(right + at);
  }
  return sum;
}

/** sum_i ||[h_i, 1]|| ||d_i|| from the same matrices: what the norm would be if nothing cancelled. */
export function factoredMass(size: i32, h: usize, hRow: usize, d: usize, dRow: usize): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < size; i++) {
    const at = <usize>i << 3;
    sum += sqrt((load<f64>(h + <usize>i * hRow + at) + 1) * load<f64>(d + <usize>i * dRow + at));
  }
  return sum;
}

/** sum_ij a_ij b_ij over (rows, columns) float32 values. */
export function innerProduct(
  rows: i32, columns: i32, a: usize, aRow: usize, b: usize, bRow: usize,
): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < rows; i++) {
    const left = a + <usize>i * aRow;
    const right = b + <usize>i * bRow;
    for (let j = 0; j < columns; j++) {
      const at = <usize>j << 2;
      sum += <f64>load<f32>(left + at) * <f64>load<f32>(right + at);
    }
  }
  return sum;
}

/** ||local - received||^2 over `length` float32 values, a multiple of four; the difference is taken in float32. */
export function differenceNorm(length: i32, local: usize, received: usize): f64 {
  let s0 = f64x2.splat(0), s1 = f64x2.splat(0);
  for (let i = 0; i < length; i += 4) {
    const update = f32x4.sub(v128.load(local), v128.load(received));
    const low = f64x2.promote_low_f32x4(update);
    const high = f64x2.promote_low_f32x4(v128.shuffle<i32>(update, update, 2, 3, 2, 3));
    s0 = wideMadd(low, low, s0);
    s1 = wideMadd(high, high, s1);
    local += 16;
    received += 16;
  }
  return wideTotal(f64x2.add(s0, s1));
}

/** `sum` += coefficient * (local - received), the difference in float32 and the rest in float64; length is a multiple of four. */
export function addDifference(length: i32, local: usize, received: usize, coefficient: f64, sum: usize): void {
  const c = f64x2.splat(coefficient);
  for (let i = 0; i < length; i += 4) {
    const update = f32x4.sub(v128.load(local), v128.load(received));
    const low = f64x2.promote_low_f32x4(update);
    const high = f64x2.promote_low_f32x4(v128.shuffle<i32>(update, update, 2, 3, 2, 3));
    v128.store(sum, f64x2.add(v128.load(sum), f64x2.mul(c, low)));
    v128.store(sum, f64x2.add(v128.load(sum, 16), f64x2.mul(c, high)), 16);
    local += 16;
    received += 16;
    sum += 32;
  }
}

/** `sum` += coefficient * values over `length` values, a multiple of four. */
export function addScaled(length: i32, values: usize, coefficient: f64, sum: usize): void {
  const c = f64x2.splat(coefficient);
  for (let i = 0; i < length; i += 2) {
    const wide = f64x2.promote_low_f32x4(v128.load64_zero(values));
    v128.store(sum, f64x2.add(v128.load(sum), f64x2.mul(c, wide)));
    values += 8;
    sum += 16;
  }
}
