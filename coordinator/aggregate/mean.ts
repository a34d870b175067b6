import { ParleyError } from '../../shared/errors.ts';

/**
 * Add the sites' noised sums: exact integer arithmetic, so the order of arrival does not matter and a resumed round is
 * bit-identical. Each update is shape (numParams,) in grid units; so is the result, as integers held in float64
 * (exact below 2^53: more than four million sites of int32 values).
 *
 * @throws WRONG_SHAPE when an update has another length.
 */
export function sumUpdates(updates: Iterable<Int32Array>, numParams: number): Float64Array {
  const sum = new Float64Array(numParams);
  for (const update of updates) {
    if (update.length !== numParams)
      throw new ParleyError(
        'WRONG_SHAPE',
        `an update has ${update.length} parameters, the model has ${numParams}`,
      );
    update.forEach((value, i) => {
      sum[i] = (sum[i] ?? 0) + value;
    });
  }
  return sum;
}

/**
 * What the sum is divided by: sampling rate times the declared users of the sites that answered. A public constant: never
 * the drawn count, never record counts, else one user would change more than her own clipped update (law 2).
 */
export function publicDenominator(samplingRate: number, declaredUsers: readonly number[]): number {
  return samplingRate * declaredUsers.reduce((total, users) => total + users, 0);
}

/** The mean update in parameter units: grid sum times grid step over the public denominator. */
export function meanUpdate(sum: Float64Array, gridStep: number, denominator: number): Float64Array {
  return sum.map((value) => (value * gridStep) / denominator);
}
