/** One axis of a chart: values from `low` to `high` (low < high; > 0 when logarithmic), marked at `ticks`. */
export interface Axis {
  readonly label: string;
  readonly low: number;
  readonly high: number;
  readonly logarithmic: boolean;
  readonly ticks: readonly number[];
  readonly write: (value: number) => string;
}

/** Where a value lies along the axis: 0 at `low`, 1 at `high`; values outside are moved to the nearer end. */
export function along({ low, high, logarithmic }: Axis, value: number): number {
  const share = logarithmic
    ? Math.log(Math.max(value, low) / low) / Math.log(high / low)
    : (value - low) / (high - low);
  return Math.min(1, Math.max(0, share));
}

/** A linear axis that ends at round numbers and holds all `values` (finite; at least one); `write` gets its decimals. */
export function valueAxis(
  label: string,
  values: readonly number[],
  write = (value: number, decimals: number): string => value.toFixed(decimals),
): Axis {
  const { low: least, high: largest } = extent(values);
  const size = Math.max(Math.abs(least), Math.abs(largest), 1);
  // Values that no drawing tells apart are one value: their difference has no round step in float64.
  const spread = largest - least > 1e-9 * size ? largest - least : size / 10;
  const step = roundStep(spread / 4);
  const first = Math.floor(least / step + 1e-9);
  const last = Math.max(first + 1, Math.ceil(largest / step - 1e-9));
  const decimals = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  return {
    label,
    low: first * step,
    high: last * step,
    logarithmic: false,
    ticks: Array.from({ length: last - first + 1 }, (_, index) => (first + index) * step),
    write: (value) => write(value, decimals),
  };
}

/** An axis of round numbers (from 1, ascending, at least one): it begins and ends with a round, not at a round number. */
export function roundAxis(rounds: readonly number[]): Axis {
  const { low, high } = extent(rounds);
  const step = Math.max(1, Math.round(roundStep((high - low) / 5 || 1)));
  const inner = Array.from({ length: Math.floor(high / step) }, (_, index) => (index + 1) * step);
  const apart = inner.filter((tick) => tick - low >= step / 2 && high - tick >= step / 2);
  return {
    label: 'round',
    low: high > low ? low : low - 0.5,
    high: high > low ? high : high + 0.5,
    logarithmic: false,
    ticks: [...new Set([low, ...apart, high])],
    write: String,
  };
}

/** A logarithmic axis of rates from `low` (a power of ten) to 1, marked at every power of ten. */
export function rateAxis(label: string, low: number): Axis {
  const decades = Math.max(1, Math.round(-Math.log10(low)));
  return {
    label,
    low: 10 ** -decades,
    high: 1,
    logarithmic: true,
    ticks: Array.from({ length: decades + 1 }, (_, index) => 10 ** (index - decades)),
    write: (value) => `${Number((value * 100).toPrecision(3))}%`,
  };
}

/** The next of 1, 2, 5, 10, 20, ... and their fractions that is not below `step` (> 0). */
function roundStep(step: number): number {
  const power = 10 ** Math.floor(Math.log10(step));
  const factor = [1, 2, 5].find((candidate) => candidate * power >= step * (1 - 1e-9)) ?? 10;
  return factor * power;
}

function extent(values: readonly number[]): { low: number; high: number } {
  return values.reduce(
    ({ low, high }, value) => ({ low: Math.min(low, value), high: Math.max(high, value) }),
    { low: Infinity, high: -Infinity },
  );
}
