/**
 * The clipped sum as outer products, in float64 from float32 factors whose products are exact there. Pointers and strides are in
 * bytes.
 */

import { wideMadd } from './madd';

/** Rows whose outer products are added up before they enter the sum; their panels stay in the cache. */
const rowsTogether: i32 = 128;

/**
 * `sum` (columns of h plus one, columns of d) float64 += sum_i c_i [h_i, 1] d_i', with c of shape (rows,) float64. A row whose
 * c is zero adds nothing, even where it is not finite. Needs `scratch` for 128 * 8 * (heights + widths) bytes, where heights and
 * widths are the columns of h plus one, and of d, rounded up to four; the rows of sum are rounded up likewise.
 */
export function addOuterProducts(
  rows: i32, inputs: i32, units: i32,
  h: usize, hRow: usize, d: usize, dRow: usize,
  c: usize, sum: usize, scratch: usize,
): void {
  const heights = (inputs + 4) & ~3;
  const widths = (units + 3) & ~3;
  const right = scratch + <usize>heights * rowsTogether * 8;
  for (let top = 0; top < rows; top += rowsTogether) {
    const count = min(rowsTogether, rows - top);
    const factors = c + (<usize>top << 3);
    packLeft(count, inputs, h + <usize>top * hRow, hRow, factors, scratch);
    packRight(count, widths, d + <usize>top * dRow, dRow, factors, right);
    for (let i = 0; i < heights; i += 4) {
      const left = scratch + <usize>i * count * 8;
      for (let j = 0; j < widths; j += 4) {
        const to = sum + ((<usize>i * widths + j) << 3);
        outerTile(count, left, right + <usize>j * count * 8, to, <usize>widths << 3);
      }
    }
  }
}

function outerTile(count: i32, a: usize, b: usize, sum: usize, sumRow: usize): void {
  let c00 = f64x2.splat(0), c01 = f64x2.splat(0);
  let c10 = f64x2.splat(0), c11 = f64x2.splat(0);
  let c20 = f64x2.splat(0), c21 = f64x2.splat(0);
  let c30 = f64x2.splat(0), c31 = f64x2.splat(0);
  for (let r = 0; r < count; r++) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let x = v128.load64_splat(a);
    c00 = wideMadd(x, b0, c00);
    c01 = wideMadd(x, b1, c01);
    x = v128.load64_splat(a, 8);
    c10 = wideMadd(x, b0, c10);
    c11 = wideMadd(x, b1, c11);
    x = v128.load64_splat(a, 16);
    c20 = wideMadd(x, b0, c20);
    c21 = wideMadd(x, b1, c21);
    x = v128.load64_splat(a, 24);
    c30 = wideMadd(x, b0, c30);
    c31 = wideMadd(x, b1, c31);
    a += 32;
    b += 32;
  }
  addTo(sum, c00, c01);
  addTo(sum + sumRow, c10, c11);
  addTo(sum + 2 * sumRow, c20, c21);
  addTo(sum + 3 * sumRow, c30, c31);
}

@inline
function addTo(sum: usize, low: v128, high: v128): void {
  v128.store(sum, f64x2.add(v128.load(sum), low));
  v128.store(sum, f64x2.add(v128.load(sum, 16), high), 16);
}

/** Panels of four columns of [h, 1], zero past them. */
function packLeft(count: i32, inputs: i32, h: usize, hRow: usize, c: usize, to: usize): void {
  for (let j = 0; j <= inputs; j += 4) {
    for (let r = 0; r < count; r++) {
      const from = h + <usize>r * hRow + (<usize>j << 2);
      if (load<f64>(c + (<usize>r << 3)) == 0) {
        v128.store(to, f64x2.splat(0));
        v128.store(to, f64x2.splat(0), 16);
      } else if (j + 4 <= inputs) {
        v128.store(to, f64x2.promote_low_f32x4(v128.load64_zero(from)));
        v128.store(to, f64x2.promote_low_f32x4(v128.load64_zero(from, 8)), 16);
      } else {
        for (let q = 0; q < 4; q++) {
          const column = j + q;
          const value: f64 = column < inputs ? <f64>load<f32>(from + (<usize>q << 2)) : column == inputs ? 1 : 0;
          store<f64>(to + (<usize>q << 3), value);
        }
      }
      to += 32;
    }
  }
}

/** Panels of four columns of c d. */
function packRight(count: i32, widths: i32, d: usize, dRow: usize, c: usize, to: usize): void {
  for (let j = 0; j < widths; j += 4) {
    for (let r = 0; r < count; r++) {
      const from = d + <usize>r * dRow + (<usize>j << 2);
      const factor = load<f64>(c + (<usize>r << 3));
      if (factor == 0) {
        v128.store(to, f64x2.splat(0));
        v128.store(to, f64x2.splat(0), 16);
      } else {
        const c2 = f64x2.splat(factor);
        v128.store(to, f64x2.mul(c2, f64x2.promote_low_f32x4(v128.load64_zero(from))));
        v128.store(to, f64x2.mul(c2, f64x2.promote_low_f32x4(v128.load64_zero(from, 8))), 16);
      }
      to += 32;
    }
  }
}
