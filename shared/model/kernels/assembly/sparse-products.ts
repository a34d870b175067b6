/**
 * Outer products of rows in which zeros are many: for each column of the sparse factor the rows where it is not zero are listed,
 * and only those are added, in the order of the rows. Adding a zero changes no bit of a sum, so neither does leaving it out.
 * Pointers and strides are in bytes.
 */

import { wideMadd } from './madd';

/** Rows whose outer products are added up before they enter the sum; their panels stay in the cache. */
export const rowsTogether: i32 = 128;

/** Of a panel: four columns of so many rows in float64, one row after another; not a power of two, which cache lines would share. */
export const panelBytes: usize = 32 * 128 + 64;

/** Of a tile: as many as stay in registers. V8 loads a row's values all at once, and the unfused form needs one more for products. */
const tileColumns: i32 = ASC_FEATURE_RELAXED_SIMD ? 16 : 12;

/** Of a column's list: places of its rows in their panel, int32; how many stands first. */
const listBytes: usize = 4 * 128 + 4;

/**
 * What sparse tiles cost, in multiplications of dense ones: every value that is not zero meets whole tiles and, past the last,
 * narrow ones of four columns, which take nearly as long; and every value is looked at once for the lists.
 */
export function sparseCost(nonzeros: i32, count: i32, columns: i32, across: i32): f64 {
  const tiles = across / tileColumns + ((across % tileColumns) >> 2);
  return <f64>nonzeros * <f64>(tiles * tileColumns) + 12 * <f64>count * <f64>columns;
}

/** Lists for so many columns of `panels`. */
export function listNonzeros(count: i32, columns: i32, panels: usize, lists: usize): void {
  for (let j = 0; j < columns; j++) {
    let from = panels + <usize>(j >> 2) * panelBytes + (<usize>(j & 3) << 3);
    const list = lists + <usize>j * listBytes;
    let length = 0;
    for (let r = 0; r < count; r++) {
      // Written in any case and kept only where it counts: a branch would be guessed wrong every other time.
      store<i32>(list + (<usize>length << 2), r << 5, 4);
      length += i32(load<f64>(from) != 0);
      from += 32;
    }
    store<i32>(list, length);
  }
}

/**
 * For every column of `sparse` and all `across` columns of `dense`: the sums over the listed rows of their products, added at
 * `sum`, where columns of `sparse` are `columnStep` apart and those of `dense` `step`.
 */
export function sparseTiles(
  columns: i32, across: i32, sparse: usize, dense: usize, lists: usize, sum: usize, columnStep: usize, step: usize,
): void {
  for (let i = 0; i < across; ) {
    const from = dense + <usize>(i >> 2) * panelBytes;
    const isWhole = i + tileColumns <= across;
    for (let j = 0; j < columns; j++) {
      const values = sparse + <usize>(j >> 2) * panelBytes + (<usize>(j & 3) << 3);
      const list = lists + <usize>j * listBytes;
      const end = list + 4 + (<usize>load<i32>(list) << 2);
      const to = sum + <usize>j * columnStep + <usize>i * step;
      if (isWhole) wholeTile(list + 4, end, values, from, to, step);
      else narrowTile(list + 4, end, values, from, to, step);
    }
    i += isWhole ? tileColumns : 4;
  }
}

function wholeTile(list: usize, end: usize, values: usize, dense: usize, to: usize, step: usize): void {
  let s0 = f64x2.splat(0), s1 = f64x2.splat(0), s2 = f64x2.splat(0), s3 = f64x2.splat(0);
  let s4 = f64x2.splat(0), s5 = f64x2.splat(0), s6 = f64x2.splat(0), s7 = f64x2.splat(0);
  for (; list < end; list += 4) {
    const at = <usize>load<i32>(list);
    const x = v128.load64_splat(values + at);
    const from = dense + at;
    s0 = wideMadd(x, v128.load(from), s0);
    s1 = wideMadd(x, v128.load(from, 16), s1);
    s2 = wideMadd(x, v128.load(from, panelBytes), s2);
    s3 = wideMadd(x, v128.load(from, panelBytes + 16), s3);
    s4 = wideMadd(x, v128.load(from, 2 * panelBytes), s4);
    s5 = wideMadd(x, v128.load(from, 2 * panelBytes + 16), s5);
    if (ASC_FEATURE_RELAXED_SIMD) {
      s6 = wideMadd(x, v128.load(from, 3 * panelBytes), s6);
      s7 = wideMadd(x, v128.load(from, 3 * panelBytes + 16), s7);
    }
  }
  addFour(to, step, s0, s1);
  addFour(to + 4 * step, step, s2, s3);
  addFour(to + 8 * step, step, s4, s5);
  if (ASC_FEATURE_RELAXED_SIMD) addFour(to + 12 * step, step, s6, s7);
}

function narrowTile(list: usize, end: usize, values: usize, dense: usize, to: usize, step: usize): void {
  let s0 = f64x2.splat(0), s1 = f64x2.splat(0);
  for (; list < end; list += 4) {
    const at = <usize>load<i32>(list);
    const x = v128.load64_splat(values + at);
    s0 = wideMadd(x, v128.load(dense + at), s0);
    s1 = wideMadd(x, v128.load(dense + at, 16), s1);
  }
  addFour(to, step, s0, s1);
}

/** Adds four numbers to those at `to`, which are `step` apart. */
@inline
function addFour(to: usize, step: usize, low: v128, high: v128): void {
  if (step == 8) {
    v128.store(to, f64x2.add(v128.load(to), low));
    v128.store(to, f64x2.add(v128.load(to, 16), high), 16);
    return;
  }
  addOne(to, f64x2.extract_lane(low, 0));
  addOne(to + step, f64x2.extract_lane(low, 1));
  addOne(to + 2 * step, f64x2.extract_lane(high, 0));
  addOne(to + 3 * step, f64x2.extract_lane(high, 1));
}

@inline
function addOne(to: usize, value: f64): void {
  store<f64>(to, load<f64>(to) + value);
}
