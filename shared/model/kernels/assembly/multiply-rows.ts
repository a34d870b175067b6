/**
 * Matrix products in float32 by the rows of both sides: every element is one dot product, the same to the bit whatever its
 * neighbours are. Pointers and strides are in bytes.
 */

import { madd } from './madd';

/**
 * c = a b' with a of shape (m, k) and b of shape (n, k), both row-major with rows padded by zeros to whole vectors: for products
 * whose b would have to be transposed first.
 */
export function multiplyRows(
  m: i32, n: i32, k: i32, a: usize, aRow: usize, b: usize, bRow: usize, c: usize, cRow: usize,
): void {
  const end = <usize>((k + 3) & ~3) << 2;
  for (let i = 0; i < m; i++) {
    const row = a + <usize>i * aRow;
    let j = 0;
    for (; j + 4 <= n; j += 4) {
      const to = c + <usize>i * cRow + (<usize>j << 2);
      fourDots(row, b + <usize>j * bRow, bRow, end, to);
    }
    for (; j < n; j++) {
      const other = b + <usize>j * bRow;
      let sum = f32x4.splat(0);
      for (let p: usize = 0; p < end; p += 16) {
        sum = madd(v128.load(row + p), v128.load(other + p), sum);
      }
      store<f32>(c + <usize>i * cRow + (<usize>j << 2), total(sum));
    }
  }
}

function fourDots(row: usize, b0: usize, bRow: usize, end: usize, to: usize): void {
  const b1 = b0 + bRow;
  const b2 = b1 + bRow;
  const b3 = b2 + bRow;
  let s0 = f32x4.splat(0), s1 = f32x4.splat(0), s2 = f32x4.splat(0), s3 = f32x4.splat(0);
  for (let p: usize = 0; p < end; p += 16) {
    const x = v128.load(row + p);
    s0 = madd(x, v128.load(b0 + p), s0);
    s1 = madd(x, v128.load(b1 + p), s1);
    s2 = madd(x, v128.load(b2 + p), s2);
    s3 = madd(x, v128.load(b3 + p), s3);
  }
  store<f32>(to, total(s0));
  store<f32>(to, total(s1), 4);
  store<f32>(to, total(s2), 8);
  store<f32>(to, total(s3), 12);
}

@inline
function total(x: v128): f32 {
  return (
    f32x4.extract_lane(x, 0) + f32x4.extract_lane(x, 1) + (f32x4.extract_lane(x, 2) + f32x4.extract_lane(x, 3))
  );
}
