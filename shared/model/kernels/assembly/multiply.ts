/**
 * Matrix products in float32. Every element of a result is one sum over k in ascending order, whatever tile it falls into: a
 * row's values are the same to the bit alone and among others, which docs/privacy.md relies on.
 *
 * Pointers and strides are in bytes. Rows of b and c are padded to whole vectors of four; the padding of c is overwritten.
 */

import { madd } from './madd';

/** Rows that go through all panels of b together, so that they stay in the cache. */
const rowsTogether: i32 = 64;

/**
 * c = alpha * a b + beta * c, with a of shape (m, k) at `aRow` and `aStep` (so that it may be transposed), c of shape (m, n).
 * b lies in panels of eight columns, `bPanel` apart, one of k to the next `bStep` apart: as `pack` leaves it, or row-major with
 * bPanel 32 and its row's stride. With beta 0 c is not read.
 */
export function multiply(
  m: i32, n: i32, k: i32,
  a: usize, aRow: usize, aStep: usize,
  b: usize, bPanel: usize, bStep: usize,
  c: usize, cRow: usize,
  alpha: f32, beta: f32,
): void {
  for (let top = 0; top < m; top += rowsTogether) {
    const bottom = min(m, top + rowsTogether);
    let j = 0;
    // Wider than 12: two panels, of which the second is more than half full.
    for (; j + 12 < n; j += 16) {
      const panel = b + <usize>(j >> 3) * bPanel;
      let i = top;
      for (; i + 2 <= bottom; i += 2) {
        const from = a + <usize>i * aRow;
        const to = c + <usize>i * cRow + (<usize>j << 2);
        tileOf2x16(k, from, aRow, aStep, panel, bPanel, bStep, to, cRow, alpha, beta);
      }
      if (i < bottom) {
        const from = a + <usize>i * aRow;
        const to = c + <usize>i * cRow + (<usize>j << 2);
        tileOf1x8(k, from, aStep, panel, bStep, to, alpha, beta);
        tileOf1x8(k, from, aStep, panel + bPanel, bStep, to + 32, alpha, beta);
      }
    }
    for (; j < n; j += 8) {
      const panel = b + <usize>(j >> 3) * bPanel;
      const isWide = n - j > 4;
      let i = top;
      for (; i + 4 <= bottom; i += 4) {
        const from = a + <usize>i * aRow;
        const to = c + <usize>i * cRow + (<usize>j << 2);
        if (isWide) tileOf4x8(k, from, aRow, aStep, panel, bStep, to, cRow, alpha, beta);
        else tileOf4x4(k, from, aRow, aStep, panel, bStep, to, cRow, alpha, beta);
      }
      for (; i < bottom; i++) {
        const from = a + <usize>i * aRow;
        const to = c + <usize>i * cRow + (<usize>j << 2);
        if (isWide) tileOf1x8(k, from, aStep, panel, bStep, to, alpha, beta);
        else tileOf1x4(k, from, aStep, panel, bStep, to, alpha, beta);
      }
    }
  }
}

/** Two rows by two panels: fewer loads for as many sums in registers as four by one. */
function tileOf2x16(
  k: i32, a0: usize, aRow: usize, aStep: usize,
  b: usize, bPanel: usize, bStep: usize,
  c: usize, cRow: usize,
  alpha: f32, beta: f32,
): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0), c02 = f32x4.splat(0), c03 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0), c12 = f32x4.splat(0), c13 = f32x4.splat(0);
  let a1 = a0 + aRow;
  let next = b + bPanel;
  for (let p = 0; p < k; p++) {
    const x = v128.load32_splat(a0);
    const y = v128.load32_splat(a1);
    let z = v128.load(b);
    c00 = madd(x, z, c00);
    c10 = madd(y, z, c10);
    z = v128.load(b, 16);
    c01 = madd(x, z, c01);
    c11 = madd(y, z, c11);
    z = v128.load(next);
    c02 = madd(x, z, c02);
    c12 = madd(y, z, c12);
    z = v128.load(next, 16);
    c03 = madd(x, z, c03);
    c13 = madd(y, z, c13);
    a0 += aStep;
    a1 += aStep;
    b += bStep;
    next += bStep;
  }
  put(c, c00, alpha, beta);
  put(c + 16, c01, alpha, beta);
  put(c + 32, c02, alpha, beta);
  put(c + 48, c03, alpha, beta);
  c += cRow;
  put(c, c10, alpha, beta);
  put(c + 16, c11, alpha, beta);
  put(c + 32, c12, alpha, beta);
  put(c + 48, c13, alpha, beta);
}

function tileOf4x8(
  k: i32, a0: usize, aRow: usize, aStep: usize, b: usize, bStep: usize, c: usize, cRow: usize, alpha: f32, beta: f32,
): void {
  let c00 = f32x4.splat(0), c01 = f32x4.splat(0);
  let c10 = f32x4.splat(0), c11 = f32x4.splat(0);
  let c20 = f32x4.splat(0), c21 = f32x4.splat(0);
  let c30 = f32x4.splat(0), c31 = f32x4.splat(0);
  let a1 = a0 + aRow;
  let a2 = a1 + aRow;
  let a3 = a2 + aRow;
  for (let p = 0; p < k; p++) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load32_splat(a0);
    c00 = madd(x, b0, c00);
    c01 = madd(x, b1, c01);
    x = v128.load32_splat(a1);
    c10 = madd(x, b0, c10);
    c11 = madd(x, b1, c11);
    x = v128.load32_splat(a2);
    c20 = madd(x, b0, c20);
    c21 = madd(x, b1, c21);
    x = v128.load32_splat(a3);
    c30 = madd(x, b0, c30);
    c31 = madd(x, b1, c31);
    a0 += aStep;
    a1 += aStep;
    a2 += aStep;
    a3 += aStep;
    b += bStep;
  }
  put(c, c00, alpha, beta);
  put(c + 16, c01, alpha, beta);
  c += cRow;
  put(c, c10, alpha, beta);
  put(c + 16, c11, alpha, beta);
  c += cRow;
  put(c, c20, alpha, beta);
  put(c + 16, c21, alpha, beta);
  c += cRow;
  put(c, c30, alpha, beta);
  put(c + 16, c31, alpha, beta);
}

function tileOf4x4(
  k: i32, a0: usize, aRow: usize, aStep: usize, b: usize, bStep: usize, c: usize, cRow: usize, alpha: f32, beta: f32,
): void {
  let c0 = f32x4.splat(0), c1 = f32x4.splat(0), c2 = f32x4.splat(0), c3 = f32x4.splat(0);
  let a1 = a0 + aRow;
  let a2 = a1 + aRow;
  let a3 = a2 + aRow;
  for (let p = 0; p < k; p++) {
    const b0 = v128.load(b);
    c0 = madd(v128.load32_splat(a0), b0, c0);
    c1 = madd(v128.load32_splat(a1), b0, c1);
    c2 = madd(v128.load32_splat(a2), b0, c2);
    c3 = madd(v128.load32_splat(a3), b0, c3);
    a0 += aStep;
    a1 += aStep;
    a2 += aStep;
    a3 += aStep;
    b += bStep;
  }
  put(c, c0, alpha, beta);
  put(c + cRow, c1, alpha, beta);
  put(c + 2 * cRow, c2, alpha, beta);
  put(c + 3 * cRow, c3, alpha, beta);
}

function tileOf1x8(
  k: i32, a: usize, aStep: usize, b: usize, bStep: usize, c: usize, alpha: f32, beta: f32,
): void {
  let c0 = f32x4.splat(0), c1 = f32x4.splat(0);
  for (let p = 0; p < k; p++) {
    const x = v128.load32_splat(a);
    c0 = madd(x, v128.load(b), c0);
    c1 = madd(x, v128.load(b, 16), c1);
    a += aStep;
    b += bStep;
  }
  put(c, c0, alpha, beta);
  put(c + 16, c1, alpha, beta);
}

function tileOf1x4(
  k: i32, a: usize, aStep: usize, b: usize, bStep: usize, c: usize, alpha: f32, beta: f32,
): void {
  let c0 = f32x4.splat(0);
  for (let p = 0; p < k; p++) {
    c0 = madd(v128.load32_splat(a), v128.load(b), c0);
    a += aStep;
    b += bStep;
  }
  put(c, c0, alpha, beta);
}

@inline
function put(c: usize, value: v128, alpha: f32, beta: f32): void {
  const scaled = f32x4.mul(f32x4.splat(alpha), value);
  if (beta == 0) v128.store(c, scaled);
  else v128.store(c, f32x4.add(f32x4.mul(f32x4.splat(beta), v128.load(c)), scaled));
}

/**
 * Panels of eight columns for `multiply`, from b of shape (k, n) at `bStep` and `bColumn`; swap those for the transposed. Columns
 * past n are zero. Needs ceil(n / 8) * k * 32 bytes.
 */
export function pack(k: i32, n: i32, b: usize, bStep: usize, bColumn: usize, packed: usize): void {
  for (let j = 0; j < n; j += 8) {
    const columns = min(8, n - j);
    for (let p = 0; p < k; p++) {
      const from = b + <usize>p * bStep + <usize>j * bColumn;
      for (let q = 0; q < columns; q++) {
        store<f32>(packed + (<usize>q << 2), load<f32>(from + <usize>q * bColumn));
      }
      for (let q = columns; q < 8; q++) store<f32>(packed + (<usize>q << 2), 0);
      packed += 32;
    }
  }
}
