/**
 * The clipped sum as outer products, in float64 from float32 factors whose products are exact there. Pointers and strides are in
 * bytes.
 */

import { wideMadd } from './madd';
import { listNonzeros, panelBytes, rowsTogether, sparseCost, sparseTiles } from './sparse-products';

/**
 * `sum` (columns of h plus one, columns of d) float64 += sum_i c_i [h_i, 1] d_i', with c of shape (rows,) float64. A row whose
 * c is zero adds nothing, even where it is not finite. Where zeros are many, as ReLU and one-hot features make them, they are
 * passed over; the bits are the same. Needs `scratch` for 128 * 13 * (heights + widths) bytes (`outerBytes`), where heights
 * and widths are the columns of h plus one, and of d, rounded up to four; the rows of sum are rounded up likewise.
 */
export function addOuterProducts(
  rows: i32, inputs: i32, units: i32,
  h: usize, hRow: usize, d: usize, dRow: usize,
  c: usize, sum: usize, scratch: usize,
): void {
  const heights = (inputs + 4) & ~3;
  const widths = (units + 3) & ~3;
  const sumRow = <usize>widths << 3;
  const right = scratch + <usize>(heights >> 2) * panelBytes;
  const lists = right + <usize>(widths >> 2) * panelBytes;
  for (let top = 0; top < rows; top += rowsTogether) {
    const count = min(rowsTogether, rows - top);
    const factors = c + (<usize>top << 3);
    const inLeft = packLeft(count, inputs, h + <usize>top * hRow, hRow, factors, scratch);
    const inRight = packRight(count, widths, d + <usize>top * dRow, dRow, factors, right);
    const dense = <f64>count * <f64>heights * <f64>widths;
    const byLeft = sparseCost(inLeft, count, heights, widths);
    const byRight = sparseCost(inRight, count, widths, heights);
    if (dense <= min(byLeft, byRight)) {
      denseTiles(count, heights, widths, scratch, right, sum);
    } else if (byLeft < byRight) {
      listNonzeros(count, heights, scratch, lists);
      sparseTiles(heights, widths, scratch, right, lists, sum, sumRow, 8);
    } else {
      listNonzeros(count, widths, right, lists);
      sparseTiles(widths, heights, right, scratch, lists, sum, 8, sumRow);
    }
  }
}

function denseTiles(count: i32, heights: i32, widths: i32, left: usize, right: usize, sum: usize): void {
  for (let i = 0; i < heights; i += 4) {
    const a = left + <usize>(i >> 2) * panelBytes;
    for (let j = 0; j < widths; j += 4) {
      const to = sum + ((<usize>i * widths + j) << 3);
      outerTile(count, a, right + <usize>(j >> 2) * panelBytes, to, <usize>widths << 3);
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

/** Panels of four columns of [h, 1], zero past them; returns how many values are not zero. */
function packLeft(count: i32, inputs: i32, h: usize, hRow: usize, c: usize, panels: usize): i32 {
  const whole = inputs & ~3;
  let zeros = i32x4.splat(0);
  let nonzeros = 0;
  for (let r = 0; r < count; r++) {
    const to = panels + (<usize>r << 5);
    if (load<f64>(c + (<usize>r << 3)) == 0) {
      clearRow((inputs + 4) & ~3, to);
      continue;
    }
    const from = h + <usize>r * hRow;
    zeros = i32x4.add(zeros, widenRow(whole, from, 1, to));
    const last = to + <usize>(whole >> 2) * panelBytes;
    for (let q = 0; q < 4; q++) {
      const column = whole + q;
      const value: f64 = column < inputs ? <f64>load<f32>(from + (<usize>column << 2)) : column == inputs ? 1 : 0;
      store<f64>(last + (<usize>q << 3), value);
      nonzeros += i32(value != 0);
    }
    nonzeros += whole;
  }
  return nonzeros + lanesOf(zeros);
}

/** Panels of four columns of c d; returns how many values are not zero. */
function packRight(count: i32, widths: i32, d: usize, dRow: usize, c: usize, panels: usize): i32 {
  let zeros = i32x4.splat(0);
  let nonzeros = 0;
  for (let r = 0; r < count; r++) {
    const to = panels + (<usize>r << 5);
    const factor = load<f64>(c + (<usize>r << 3));
    if (factor == 0) {
      clearRow(widths, to);
      continue;
    }
    zeros = i32x4.add(zeros, widenRow(widths, d + <usize>r * dRow, factor, to));
    nonzeros += widths;
  }
  return nonzeros + lanesOf(zeros);
}

/** Factor times the values of a row, four to a panel; returns minus the zeros among them, in four parts. */
@inline
function widenRow(columns: i32, from: usize, factor: f64, to: usize): v128 {
  const c = f64x2.splat(factor);
  let zeros = i32x4.splat(0);
  for (let j = 0; j < columns; j += 4) {
    const values = v128.load(from);
    zeros = i32x4.add(zeros, f32x4.eq(values, f32x4.splat(0)));
    v128.store(to, f64x2.mul(c, f64x2.promote_low_f32x4(values)));
    v128.store(to, f64x2.mul(c, f64x2.promote_low_f32x4(v128.shuffle<i32>(values, values, 2, 3, 2, 3))), 16);
    from += 16;
    to += panelBytes;
  }
  return zeros;
}

@inline
function clearRow(columns: i32, to: usize): void {
  for (let j = 0; j < columns; j += 4) {
    v128.store(to, f64x2.splat(0));
    v128.store(to, f64x2.splat(0), 16);
    to += panelBytes;
  }
}

@inline
function lanesOf(x: v128): i32 {
  return i32x4.extract_lane(x, 0) + i32x4.extract_lane(x, 1) + i32x4.extract_lane(x, 2) + i32x4.extract_lane(x, 3);
}
