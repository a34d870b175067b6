/** Cross-entropy of users' logits. Pointers and strides are in bytes; rows are padded to whole vectors of four. */

/**
 * Mean cross-entropy of each user's rows and its derivative by their logits. User u has rows offsets[u] .. offsets[u + 1] - 1 of
 * logits and gradient (rows, units), which share `row`; labels (rows,) int32 are classes. One unit is the logit of class 1 of two.
 * Losses (users,) float64 are written where `losses` is not 0. The gradient's padding becomes zero; what is not finite stays so.
 */
export function crossEntropy(
  users: i32, units: i32, offsets: usize, labels: usize,
  logits: usize, gradient: usize, row: usize, losses: usize,
): void {
  for (let user = 0; user < users; user++) {
    const first = load<i32>(offsets + (<usize>user << 2));
    const end = load<i32>(offsets + (<usize>user << 2), 4);
    const share: f32 = 1 / <f32>(end - first);
    let sum: f64 = 0;
    for (let i = first; i < end; i++) {
      const label = load<i32>(labels + (<usize>i << 2));
      const from = logits + <usize>i * row;
      const to = gradient + <usize>i * row;
      const others = units == 1 ? sigmoidRow(from, to, label, share) : softmaxRow(units, from, to, label, share);
      if (losses != 0) sum += lossOf(units, from, label, others);
    }
    if (losses != 0) store<f64>(losses + (<usize>user << 3), sum / <f64>(end - first));
  }
}

/** log of the normaliser over the label's term, without cancellation where that term is almost all of it. */
function lossOf(units: i32, logits: usize, label: i32, others: f32): f64 {
  if (units == 1) {
    const margin = marginOf(logits, label);
    return max<f64>(-margin, 0) + NativeMath.log1p(NativeMath.exp(-abs<f64>(margin)));
  }
  const gap = <f64>largestOf(units, logits) - <f64>load<f32>(logits + (<usize>label << 2));
  return gap == 0 ? NativeMath.log1p(<f64>others) : gap + NativeMath.log(NativeMath.exp(-gap) + <f64>others);
}

@inline
function marginOf(logit: usize, label: i32): f32 {
  const z = load<f32>(logit);
  return label == 1 ? z : -z;
}

function sigmoidRow(logits: usize, gradient: usize, label: i32, share: f32): f32 {
  const margin = marginOf(logits, label);
  // Plus zero, or NaN of an infinite logit.
  const missing: f32 = <f32>1 / (<f32>1 + Mathf.exp(margin)) + (margin - margin);
  const slope = label == 1 ? -missing * share : missing * share;
  v128.store(gradient, f32x4.replace_lane(f32x4.splat(0), 0, slope));
  return 0;
}

/**
 * gradient = (exp(z - largest) / normaliser - onehot) * share; the label's is minus the sum of the others, so that it does not
 * cancel. Returns the normaliser without the label's term.
 */
function softmaxRow(units: i32, logits: usize, gradient: usize, label: i32, share: f32): f32 {
  const largest = f32x4.splat(largestOf(units, logits));
  const end = <usize>((units + 3) & ~3) << 2;
  const isLabel = i32x4.splat(label);
  let sum = f32x4.splat(0);
  for (let at: usize = 0; at < end; at += 16) {
    const terms = v128.and(exponentials(f32x4.sub(v128.load(logits + at), largest)), inside(units, at));
    v128.store(gradient + at, terms);
    sum = f32x4.add(sum, v128.andnot(terms, i32x4.eq(columns(at), isLabel)));
  }
  const others =
    f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1) +
    (f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3));
  const own = gradient + (<usize>label << 2);
  const factor = share / (others + load<f32>(own));
  for (let at: usize = 0; at < end; at += 16) {
    v128.store(gradient + at, f32x4.mul(v128.load(gradient + at), f32x4.splat(factor)));
  }
  store<f32>(own, -others * factor);
  return others;
}

/** NaN wins. */
function largestOf(units: i32, logits: usize): f32 {
  const end = <usize>((units + 3) & ~3) << 2;
  let most = f32x4.splat(-Infinity);
  for (let at: usize = 0; at < end; at += 16) {
    const values = v128.bitselect(v128.load(logits + at), f32x4.splat(-Infinity), inside(units, at));
    most = f32x4.max(most, values);
  }
  return max(
    max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
}

/** All ones in the lanes whose column, counted from byte `at` of a row, is not padding. */
@inline
function inside(units: i32, at: usize): v128 {
  return i32x4.lt_s(columns(at), i32x4.splat(units));
}

/** The columns of the four values at byte `at` of a row. */
@inline
function columns(at: usize): v128 {
  return i32x4.add(i32x4(0, 1, 2, 3), i32x4.splat(<i32>(at >> 2)));
}

/**
 * e^x of four values at most zero, to two units in the last place: x = n ln 2 + r, and a polynomial of degree five for e^r (the
 * coefficients of Cephes' expf). Below -87, where float32 loses its leading bit, it is zero.
 */
@inline
function exponentials(x: v128): v128 {
  const isSmall = f32x4.lt(x, f32x4.splat(-87));
  const n = f32x4.nearest(f32x4.mul(f32x4.max(x, f32x4.splat(-87)), f32x4.splat(1.44269504)));
  // ln 2 in two parts, the first of few bits: n times it is exact.
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693359375)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(-2.12194440e-4)));
  let y = f32x4.add(f32x4.mul(f32x4.splat(1.9875691500e-4), r), f32x4.splat(1.3981999507e-3));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(8.3334519073e-3));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(4.1665795894e-2));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(1.6666665459e-1));
  y = f32x4.add(f32x4.mul(y, r), f32x4.splat(5.0000001201e-1));
  y = f32x4.add(f32x4.add(f32x4.mul(y, f32x4.mul(r, r)), r), f32x4.splat(1));
  const power = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(127)), 23);
  return v128.andnot(f32x4.mul(y, power), isSmall);
}
