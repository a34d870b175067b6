/** P-value of the one-sample Kolmogorov-Smirnov test that values are uniform on [0, 1] (Stephens 1970 for finite n). */
export function uniformityPValue(values: readonly number[]): number {
  const n = values.length;
  const ascending = [...values].sort((a, b) => a - b);
  const distance = Math.max(...ascending.map((value, i) => Math.max((i + 1) / n - value, value - i / n)));
  const scaled = (Math.sqrt(n) + 0.12 + 0.11 / Math.sqrt(n)) * distance;
  let tail = 0;
  for (let k = 1; k <= 100; k++) tail += 2 * (-1) ** (k - 1) * Math.exp(-2 * k * k * scaled * scaled);
  return Math.min(1, Math.max(0, tail));
}
