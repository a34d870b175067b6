/**
 * a * b + c in one place, because it has two forms: two roundings everywhere, one (fused) where Node knows relaxed vectors. The
 * build makes one binary of each; within one, every sum is made of the same operation, so results still do not depend on tiles.
 */

/** Four float32 values. */
@inline
export function madd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(c, f32x4.mul(a, b));
}

/** Two float64 values. */
@inline
export function wideMadd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f64x2.relaxed_madd(a, b, c);
  return f64x2.add(c, f64x2.mul(a, b));
}
