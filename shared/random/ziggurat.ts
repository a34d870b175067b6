/**
 * The ziggurat of Marsaglia and Tsang (2000) for the half normal density f(x) = exp(-x^2 / 2): 256 layers of equal area that
 * cover everything under f. Layer 0 is the rectangle [0, r] x [0, f(r)] with the tail beyond r; layer i >= 1 is the rectangle
 * [0, width(i)] x [f(width(i)), f(width(i + 1))], of which the part left of width(i + 1) lies wholly under f.
 */
export interface Ziggurat {
  /**
   * Right ends, shape (layers + 1,), falling from index 1: r, ..., 0. Index 0 is the width that a rectangle of height f(r)
   * needs to have the area of layer 0.
   */
  readonly widths: Float64Array;
  /** Heights f(widths), shape (layers + 1,); that at index 0 is never used. */
  readonly heights: Float64Array;
}

/** Number of layers; eight bits choose one. */
const layers = 256;

/** Where the tail begins: the root of width(256) = 0, found in 60 digits. */
export const tailStart = 3.654152885361009;

/** Common area of the layers, r f(r) + integral of f beyond r. */
const layerArea = 0.004928673233974655;

/** Ends and heights of all layers, from widths(i + 1) = f^-1(area / width(i) + f(width(i))). */
export function ziggurat(): Ziggurat {
  const widths = new Float64Array(layers + 1);
  let width = tailStart;
  for (let layer = 1; layer < layers; layer++) {
    widths[layer] = width;
    width = Math.sqrt(-2 * Math.log(layerArea / width + halfNormal(width)));
  }
  widths[0] = layerArea / halfNormal(tailStart);
  return { widths, heights: widths.map(halfNormal) };
}

/** f(x) = exp(-x^2 / 2), in [0, 1]. */
export function halfNormal(x: number): number {
  return Math.exp(-0.5 * x * x);
}
