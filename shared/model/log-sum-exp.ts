/** log of the sum of exp over `values[start .. end - 1]`; without overflow. NaN when one of them is. */
export function logSumExp(values: Float32Array, start: number, end: number): number {
  let largest = -Infinity;
  for (let i = start; i < end; i++) largest = Math.max(largest, values[i] ?? NaN);
  let sum = 0;
  for (let i = start; i < end; i++) sum += Math.exp((values[i] ?? NaN) - largest);
  return largest + Math.log(sum);
}
