import { betaQuantile } from './special.ts';

/** A mean with the two-sided interval around it that Student's t gives; null where there is none. */
export interface MeanEstimate {
  readonly mean: number;
  /** Null for fewer than two values, or values that are not finite. */
  readonly low: number | null;
  readonly high: number | null;
}

/**
 * Mean of independent repetitions (at least one) and its interval at `level`, mean +- t s / sqrt(n): right for values that are
 * near normal, and not cut off at the ends of a value's range.
 */
export function meanEstimate(values: readonly number[], level = 0.95): MeanEstimate {
  const count = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / count;
  if (count < 2 || !Number.isFinite(mean)) return { mean, low: null, high: null };
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const half = studentQuantile(level, count - 1) * Math.sqrt(squares / (count - 1) / count);
  return { mean, low: mean - half, high: mean + half };
}

/** The t with P[|T| <= t] = level, for Student's T with `freedom` >= 1 degrees of freedom and level in (0, 1). */
export function studentQuantile(level: number, freedom: number): number {
  const x = betaQuantile(1 - level, freedom / 2, 0.5);
  return Math.sqrt(freedom * (1 / x - 1));
}

/**
 * Mean of `ones` less the mean of `others` (both at least one value, independent samples), with Welch's interval at `level`:
 * standard deviations may differ, degrees of freedom by Satterthwaite. No interval for fewer than two values on a side.
 */
export function meanDifference(
  ones: readonly number[],
  others: readonly number[],
  level = 0.95,
): MeanEstimate {
  const [one, other] = [momentsOf(ones), momentsOf(others)];
  const mean = one.mean - other.mean;
  if (ones.length < 2 || others.length < 2 || !Number.isFinite(mean)) return { mean, low: null, high: null };
  const squared = one.squaredError + other.squaredError;
  if (squared === 0) return { mean, low: mean, high: mean };
  const freedom =
    squared ** 2 /
    (one.squaredError ** 2 / (ones.length - 1) + other.squaredError ** 2 / (others.length - 1));
  const half = studentQuantile(level, freedom) * Math.sqrt(squared);
  return { mean, low: mean - half, high: mean + half };
}

/** The mean and the square of its standard error. */
function momentsOf(values: readonly number[]): { readonly mean: number; readonly squaredError: number } {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, squaredError: squares / (values.length - 1) / values.length };
}
