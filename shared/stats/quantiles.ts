/**
 * Quantiles of a sample at levels in [0, 1], by linear interpolation between order statistics (type 7 of Hyndman and Fan 1996, as
 * numpy has it); NaN for an empty sample.
 */
export function quantilesOf(sample: Float64Array, levels: readonly number[]): number[] {
  const sorted = sample.toSorted();
  return levels.map((level) => {
    const place = level * (sorted.length - 1);
    const below = Math.floor(place);
    const [low = NaN, high = low] = sorted.subarray(below, below + 2);
    return low + (place - below) * (high - low);
  });
}
