/** What records are scored by. Pointers and strides are in bytes. */

/**
 * c = x times w plus bias, all float64: (rows, k) times (k, n), n a multiple of four. Product and sum are rounded apart and added in
 * the order of k, so that what an attack reads has the same bits everywhere; zeros of x are passed over, records have many.
 */
export function wideLayer(
  rows: i32, n: i32, k: i32, x: usize, xRow: usize, w: usize, bias: usize, c: usize,
): void {
  const row = <usize>n << 3;
  let j = 0;
  for (; j + 16 <= n; j += 16) {
    const at = <usize>j << 3;
    for (let i = 0; i < rows; i++) sixteenUnits(x + <usize>i * xRow, k, w + at, row, bias + at, c + <usize>i * row + at);
  }
  for (; j < n; j += 4) {
    const at = <usize>j << 3;
    for (let i = 0; i < rows; i++) fourUnits(x + <usize>i * xRow, k, w + at, row, bias + at, c + <usize>i * row + at);
  }
}

function sixteenUnits(x: usize, k: i32, w: usize, row: usize, bias: usize, to: usize): void {
  let s0 = v128.load(bias), s1 = v128.load(bias, 16), s2 = v128.load(bias, 32), s3 = v128.load(bias, 48);
  let s4 = v128.load(bias, 64), s5 = v128.load(bias, 80), s6 = v128.load(bias, 96), s7 = v128.load(bias, 112);
  for (let p = 0; p < k; p++) {
    const value = load<f64>(x + (<usize>p << 3));
    if (value == 0) continue;
    const v = f64x2.splat(value);
    const from = w + <usize>p * row;
    s0 = f64x2.add(s0, f64x2.mul(v, v128.load(from)));
    s1 = f64x2.add(s1, f64x2.mul(v, v128.load(from, 16)));
    s2 = f64x2.add(s2, f64x2.mul(v, v128.load(from, 32)));
    s3 = f64x2.add(s3, f64x2.mul(v, v128.load(from, 48)));
    s4 = f64x2.add(s4, f64x2.mul(v, v128.load(from, 64)));
    s5 = f64x2.add(s5, f64x2.mul(v, v128.load(from, 80)));
    s6 = f64x2.add(s6, f64x2.mul(v, v128.load(from, 96)));
    s7 = f64x2.add(s7, f64x2.mul(v, v128.load(from, 112)));
  }
  v128.store(to, s0);
  v128.store(to, s1, 16);
  v128.store(to, s2, 32);
  v128.store(to, s3, 48);
  v128.store(to, s4, 64);
  v128.store(to, s5, 80);
  v128.store(to, s6, 96);
  v128.store(to, s7, 112);
}

function fourUnits(x: usize, k: i32, w: usize, row: usize, bias: usize, to: usize): void {
  let s0 = v128.load(bias), s1 = v128.load(bias, 16);
  for (let p = 0; p < k; p++) {
    const value = load<f64>(x + (<usize>p << 3));
    if (value == 0) continue;
    const v = f64x2.splat(value);
    const from = w + <usize>p * row;
    s0 = f64x2.add(s0, f64x2.mul(v, v128.load(from)));
    s1 = f64x2.add(s1, f64x2.mul(v, v128.load(from, 16)));
  }
  v128.store(to, s0);
  v128.store(to, s1, 16);
}
