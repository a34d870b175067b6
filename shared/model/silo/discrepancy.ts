/** A number of rows, and its derivative by every one of them, of their shape. */
export interface Discrepancy {
  readonly value: number;
  readonly slopes: Float64Array;
}

/**
 * Squared maximum mean discrepancy (Gretton et al., JMLR 2012, the biased estimate, never negative) between the first and the second
 * half of rows, under the Gaussian kernel exp(-|a - b|^2 / (2 bandwidth^2)), and its derivative by every row. A bandwidth of 0
 * makes both zero.
 */
export function squaredDiscrepancy(rows: Float32Array, width: number, bandwidth: number): Discrepancy {
  const count = rows.length / width;
  const slopes = new Float64Array(rows.length);
  if (bandwidth === 0) return { value: 0, slopes };
  const sharpness = 1 / (2 * bandwidth ** 2);
  // Of a row with itself the kernel is 1, which makes 2 / half in all.
  let value = 4 / count;
  for (let one = 0; one < count; one++)
    for (let other = 0; other < one; other++) {
      const sign = one < count / 2 === other < count / 2 ? 1 : -1;
      const [a, b] = [one * width, other * width];
      const kernel = ((8 * sign) / count ** 2) * Math.exp(-sharpness * squaredGap(rows, [a, b], width));
      value += kernel;
      for (let i = 0; i < width; i++) {
        const slope = -2 * sharpness * kernel * ((rows[a + i] ?? 0) - (rows[b + i] ?? 0));
        slopes[a + i] = (slopes[a + i] ?? 0) + slope;
        slopes[b + i] = (slopes[b + i] ?? 0) - slope;
      }
    }
  return { value, slopes };
}

/**
 * The median distance between two rows (of an even number of pairs the mean of the middle two), the bandwidth that Gretton et al.
 * take; 0 where at least half of the pairs are equal, or there is no pair. Of many rows every second, third, ... one is looked at.
 */
export function medianDistance(rows: Float32Array, width: number): number {
  const step = width * Math.ceil(rows.length / width / mostRows);
  const count = Math.ceil(rows.length / step);
  const distances = new Float64Array((count * (count - 1)) / 2);
  let pair = 0;
  for (let one = 0; one < count; one++)
    for (let other = 0; other < one; other++)
      distances[pair++] = Math.sqrt(squaredGap(rows, [one * step, other * step], width));
  distances.sort();
  const middle = distances.subarray(
    Math.ceil(distances.length / 2) - 1,
    Math.floor(distances.length / 2) + 1,
  );
  return middle.reduce((sum, distance) => sum + distance / middle.length, 0);
}

/** Two million pairs at most, which are sorted in every step. */
const mostRows = 2000;

/** Squared distance of the rows that start at `a` and at `b`. */
function squaredGap(rows: Float32Array, [a, b]: readonly [number, number], width: number): number {
  let squares = 0;
  for (let i = 0; i < width; i++) squares += ((rows[a + i] ?? 0) - (rows[b + i] ?? 0)) ** 2;
  return squares;
}
