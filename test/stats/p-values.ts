import { normalCdf } from '../../shared/stats/special.ts';

/**
 * P[chi-square >= value] for an even number of degrees 2 m: exp(-x) times the first m terms of exp(x)'s series, x = value / 2
 * (a Poisson tail). p-values.test.ts compares all of these with SciPy.
 */
export function chiSquarePValue(value: number, degrees: number): number {
  if (degrees % 2 !== 0 || degrees < 2) throw new RangeError('an even number of degrees is needed');
  const x = value / 2;
  let log = -x;
  let sum = Math.exp(log);
  for (let term = 1; term < degrees / 2; term++) {
    log += Math.log(x / term);
    sum += Math.exp(log);
  }
  return sum;
}

/** P[K >= value] for Kolmogorov's limit law of sqrt(n) sup |F_n - F|. For a law with atoms the true probability is smaller. */
export function kolmogorovPValue(value: number): number {
  // The alternating series is slow below 1; there it is one minus the other form of the theta function.
  if (value < 1) {
    let sum = 0;
    for (let k = 1; k < 40; k += 2) sum += Math.exp((-k * k * Math.PI ** 2) / (8 * value * value));
    return 1 - (Math.sqrt(2 * Math.PI) / value) * sum;
  }
  let sum = 0;
  for (let k = 1; k < 40; k++) sum -= 2 * (-1) ** k * Math.exp(-2 * k * k * value * value);
  return sum;
}

/** P[|Z| >= |value|] for a standard normal Z. */
export function normalPValue(value: number): number {
  return 2 * normalCdf(-Math.abs(value));
}

/**
 * Pearson's statistic of counts against expected counts, neighbouring cells joined until each expects at least 20, the last
 * two also where the degrees of freedom would be odd; with its p-value.
 */
export function pearsonPValue(observed: readonly number[], expected: readonly number[]): number {
  const cells: { seen: number; due: number }[] = [];
  let open = { seen: 0, due: 0 };
  for (const [index, due] of expected.entries()) {
    open = { seen: open.seen + observed[index]!, due: open.due + due };
    if (open.due < 20) continue;
    cells.push(open);
    open = { seen: 0, due: 0 };
  }
  const joinLast = (): void => {
    const last = cells.pop()!;
    open = { seen: open.seen + last.seen, due: open.due + last.due };
  };
  joinLast();
  if (cells.length % 2 === 1) joinLast();
  cells.push(open);
  const statistic = cells.reduce((sum, { seen, due }) => sum + (seen - due) ** 2 / due, 0);
  return chiSquarePValue(statistic, cells.length - 1);
}
