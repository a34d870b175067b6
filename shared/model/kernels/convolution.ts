import type { Arena } from './arena.ts';
import { padded, rowBytes } from './arena.ts';
import type { Kernels, WindowShape } from './kernels.ts';

/** Kernels and the room in their memory that a derivative may use; it is given back. */
export interface Workshop {
  readonly kernels: Kernels;
  readonly arena: Arena;
}

/** A convolution of channels-last images; all values lie row-major without gaps. */
export interface Convolution {
  readonly images: number;
  readonly filters: number;
  readonly windows: WindowShape;
}

/**
 * Derivative by the filters, shape (window height, window width, channels, filters), into `target`: the images' windows,
 * transposed, times the derivatives by the output, shape (images, out height, out width, filters).
 */
export function filterDerivative(
  workshop: Workshop,
  convolution: Convolution,
  values: {
    readonly images: Float32Array;
    readonly derivatives: Float32Array;
    readonly target: Float32Array;
  },
): void {
  const { kernels, arena } = workshop;
  const { windows, filters } = convolution;
  const { window, image, positions } = sizesOf(windows);
  const mark = arena.mark();
  const sum = arena.zeroRows(window, filters);
  const [picture, patches] = [arena.take(4 * image), arena.take(4 * positions * window)];
  const slopes = arena.zeroRows(positions, filters);
  for (let index = 0; index < convolution.images; index++) {
    arena.floats(picture, image).set(part(values.images, index, image));
    kernels.copyWindows(...windows, picture, patches);
    placeRows(workshop, part(values.derivatives, index, positions * filters), { filters, at: slopes.at });
    // Transposed: one window's values are the rows, one for each position are the steps.
    const transposed = [patches, 4, 4 * window] as const;
    const right = [slopes.at, 32, slopes.row] as const;
    kernels.multiply(window, filters, positions, ...transposed, ...right, sum.at, sum.row, 1, 1);
  }
  const found = arena.floats(sum.at, window * padded(filters));
  for (let row = 0; row < window; row++) {
    const start = row * padded(filters);
    values.target.set(found.subarray(start, start + filters), row * filters);
  }
  arena.release(mark);
}

/**
 * Derivative by the images, into `target`: the derivatives by the output times the filters, transposed, each window's row
 * added where its values lie.
 */
export function inputDerivative(
  { kernels, arena }: Workshop,
  { images, windows, filters }: Convolution,
  values: {
    readonly filters: Float32Array;
    readonly derivatives: Float32Array;
    readonly target: Float32Array;
  },
): void {
  const { window, image, positions } = sizesOf(windows);
  const mark = arena.mark();
  const kernel = arena.take(4 * window * filters);
  arena.floats(kernel, window * filters).set(values.filters);
  const packed = arena.take(32 * filters * Math.ceil(window / 8));
  kernels.pack(filters, window, kernel, 4, 4 * filters, packed);
  const slopes = arena.take(4 * positions * filters);
  const [patches, picture] = [arena.rows(positions, window), arena.take(4 * image)];
  for (let index = 0; index < images; index++) {
    arena.floats(slopes, positions * filters).set(part(values.derivatives, index, positions * filters));
    const left = [slopes, 4 * filters, 4] as const;
    const right = [packed, 32 * filters, 32] as const;
    kernels.multiply(positions, window, filters, ...left, ...right, patches.at, patches.row, 1, 0);
    arena.floats(picture, image).fill(0);
    kernels.addWindows(...windows, patches.at, patches.row, picture);
    values.target.set(arena.floats(picture, image), index * image);
  }
  arena.release(mark);
}

/** Derivative of max pooling by the images, into `target`; a window's goes to the first of its largest values. */
export function maxPoolDerivative(
  { kernels, arena }: Workshop,
  { images, windows }: Pick<Convolution, 'images' | 'windows'>,
  values: {
    readonly images: Float32Array;
    readonly derivatives: Float32Array;
    readonly target: Float32Array;
  },
): void {
  const { image, positions } = sizesOf(windows);
  const outputs = positions * windows[2];
  const mark = arena.mark();
  const [picture, slopes, target] = [arena.take(4 * image), arena.take(4 * outputs), arena.take(4 * image)];
  for (let index = 0; index < images; index++) {
    arena.floats(picture, image).set(part(values.images, index, image));
    arena.floats(slopes, outputs).set(part(values.derivatives, index, outputs));
    arena.floats(target, image).fill(0);
    kernels.addToLargest(...windows, picture, slopes, target);
    values.target.set(arena.floats(target, image), index * image);
  }
  arena.release(mark);
}

function sizesOf([height, width, channels, down, right, , , , , outHeight, outWidth]: WindowShape): {
  readonly window: number;
  readonly image: number;
  readonly positions: number;
} {
  return {
    window: down * right * channels,
    image: height * width * channels,
    positions: outHeight * outWidth,
  };
}

function part(values: Float32Array, index: number, size: number): Float32Array {
  return values.subarray(index * size, (index + 1) * size);
}

/** Rows without gaps to padded ones in the kernels' memory. */
function placeRows(
  { kernels, arena }: Workshop,
  values: Float32Array,
  { filters, at }: { readonly filters: number; readonly at: number },
): void {
  if (filters % 4 === 0) {
    arena.floats(at, values.length).set(values);
    return;
  }
  const mark = arena.mark();
  const gapless = arena.take(4 * values.length);
  arena.floats(gapless, values.length).set(values);
  kernels.padRows(values.length / filters, filters, gapless, at, rowBytes(filters));
  arena.release(mark);
}
