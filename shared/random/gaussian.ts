import type { Rng } from './rng.ts';
import { halfNormal, tailStart, ziggurat } from './ziggurat.ts';

/**
 * `count` independent standard normal numbers (mean 0, standard deviation 1), shape (count,), by the ziggurat of Marsaglia
 * and Tsang (2000) with exact treatment of wedges and tail. Each number takes 64 fresh bits at least: 8 choose the layer, one
 * the sign and 53 others the size, so that none of them depends on another (the flaw that Doornik 2005 found).
 *
 * docs/noise.md bounds the distance from the ideal law. `Math.log` and `Math.exp` may differ in the last bit between
 * JavaScript engines: a seeded stream is sure to repeat on one engine only.
 */
export function standardNormals(rng: Rng, count: number): Float64Array {
  const normals = new Float64Array(count);
  let done = 0;
  while (done < count) {
    const taken = takeWithinLayers(rng.ahead(), normals.subarray(done));
    rng.skip(2 * taken);
    done += taken;
    if (done < count) normals[done++] = standardNormal(rng);
  }
  return normals;
}

const { widths, heights } = ziggurat();
/** Multiples of a layer's width that 53 bits count. */
const steps = widths.map((width) => width * 2 ** -53);
const signBit = 256;

/** What `standardNormal` makes of pairs of words, up to the first that it needs more for: 99 of 100 do not. */
function takeWithinLayers(words: Uint32Array, normals: Float64Array): number {
  const most = Math.min(words.length >> 1, normals.length);
  for (let taken = 0; taken < most; taken++) {
    const low = words[2 * taken] ?? 0;
    const layer = low & 255;
    const size = ((words[2 * taken + 1] ?? 0) * 0x200000 + (low >>> 11)) * (steps[layer] ?? 0);
    if (size >= (widths[layer + 1] ?? 0)) return taken;
    normals[taken] = low & signBit ? -size : size;
  }
  return most;
}

function standardNormal(rng: Rng): number {
  for (;;) {
    const low = rng.uint32();
    const layer = low & 255;
    const size = (rng.uint32() * 0x200000 + (low >>> 11)) * (steps[layer] ?? 0);
    if (size < (widths[layer + 1] ?? 0)) return low & signBit ? -size : size;
    const outside = layer === 0 ? tail(rng) : wedge(rng, layer, size);
    if (outside !== undefined) return low & signBit ? -outside : outside;
  }
}

/** The size itself where a uniform height within the layer lies under f, else nothing. */
function wedge(rng: Rng, layer: number, size: number): number | undefined {
  const bottom = heights[layer] ?? 0;
  const height = bottom + rng.uniform() * ((heights[layer + 1] ?? 0) - bottom);
  return height < halfNormal(size) ? size : undefined;
}

/** A number beyond r by Marsaglia (1964): r + a with a of density r exp(-r a), kept with probability exp(-a^2 / 2). */
function tail(rng: Rng): number {
  for (;;) {
    const beyond = -Math.log(fineUniform(rng)) / tailStart;
    if (-2 * Math.log(fineUniform(rng)) > beyond * beyond) return tailStart + beyond;
  }
}

/**
 * Uniform on [0, 1] with 106 bits, of which float64 keeps the leading 53: its relative spacing is 2^-53 however close to 0.
 * With 53 bits, log would leave isolated values far out; with 106, the tail reaches 15.7 standard deviations.
 */
function fineUniform(rng: Rng): number {
  return rng.uniform() + 2 ** -53 * rng.uniform();
}
