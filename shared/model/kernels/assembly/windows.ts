/**
 * Windows of images (rows, columns, channels), as convolutions see them. Pointers are in bytes; values lie without gaps. A window's
 * values may lie outside the image, where `top` rows and `left` columns of zeros stand before it and as many as needed after.
 */

/** Each window of one image as a row of `patches`, shape (outHeight * outWidth, windowHeight * windowWidth * channels). */
export function copyWindows(
  height: i32, width: i32, channels: i32,
  windowHeight: i32, windowWidth: i32, strideDown: i32, strideRight: i32, top: i32, left: i32,
  outHeight: i32, outWidth: i32,
  image: usize, patches: usize,
): void {
  const pixel = <usize>channels << 2;
  const span = <usize>windowWidth * pixel;
  for (let i = 0; i < outHeight; i++) {
    for (let j = 0; j < outWidth; j++) {
      const x = j * strideRight - left;
      const before = min(windowWidth, max(0, -x));
      const end = max(before, min(windowWidth, width - x));
      for (let r = 0; r < windowHeight; r++) {
        const y = i * strideDown - top + r;
        if (y < 0 || y >= height) {
          clear(patches, span);
        } else {
          const from = image + <usize>(y * width + x + before) * pixel;
          clear(patches, <usize>before * pixel);
          copy(patches + <usize>before * pixel, from, <usize>(end - before) * pixel);
          clear(patches + <usize>end * pixel, <usize>(windowWidth - end) * pixel);
        }
        patches += span;
      }
    }
  }
}

/** The transpose of `copyWindows`: adds each window's row, `row` bytes apart, to where its values lie in the image. */
export function addWindows(
  height: i32, width: i32, channels: i32,
  windowHeight: i32, windowWidth: i32, strideDown: i32, strideRight: i32, top: i32, left: i32,
  outHeight: i32, outWidth: i32,
  patches: usize, row: usize, image: usize,
): void {
  const pixel = <usize>channels << 2;
  const span = <usize>windowWidth * pixel;
  for (let i = 0; i < outHeight; i++) {
    for (let j = 0; j < outWidth; j++) {
      const x = j * strideRight - left;
      const before = min(windowWidth, max(0, -x));
      const end = max(before, min(windowWidth, width - x));
      for (let r = 0; r < windowHeight; r++) {
        const y = i * strideDown - top + r;
        if (y < 0 || y >= height) continue;
        const from = patches + <usize>r * span + <usize>before * pixel;
        add(image + <usize>(y * width + x + before) * pixel, from, <usize>(end - before) * pixel);
      }
      patches += row;
    }
  }
}

/**
 * Adds to `target`, shaped like the image, each window's value of `slopes`, shape (outHeight, outWidth, channels), where the window's
 * largest value lies in its channel: the first of equals. Nothing where all are NaN.
 */
export function addToLargest(
  height: i32, width: i32, channels: i32,
  windowHeight: i32, windowWidth: i32, strideDown: i32, strideRight: i32, top: i32, left: i32,
  outHeight: i32, outWidth: i32,
  image: usize, slopes: usize, target: usize,
): void {
  for (let i = 0; i < outHeight; i++) {
    const firstRow = max(0, i * strideDown - top);
    const lastRow = min(height, i * strideDown - top + windowHeight);
    for (let j = 0; j < outWidth; j++) {
      const first = max(0, j * strideRight - left);
      const last = min(width, j * strideRight - left + windowWidth);
      for (let channel = 0; channel < channels; channel++) {
        let largest: f32 = -f32.MAX_VALUE;
        let found: i32 = -1;
        for (let y = firstRow; y < lastRow; y++) {
          for (let x = first; x < last; x++) {
            const place = (y * width + x) * channels + channel;
            const value = load<f32>(image + (<usize>place << 2));
            if (value > largest || (found < 0 && value == largest)) {
              largest = value;
              found = place;
            }
          }
        }
        if (found >= 0) {
          const to = target + (<usize>found << 2);
          store<f32>(to, load<f32>(to) + load<f32>(slopes));
        }
        slopes += 4;
      }
    }
  }
}

// Loops, since the bulk instructions leave WebAssembly and cost more than a few values.

@inline
function copy(to: usize, from: usize, bytes: usize): void {
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) v128.store(to + at, v128.load(from + at));
  for (; at < bytes; at += 4) store<f32>(to + at, load<f32>(from + at));
}

@inline
function clear(to: usize, bytes: usize): void {
  for (let at: usize = 0; at < bytes; at += 4) store<f32>(to + at, 0);
}

@inline
function add(to: usize, from: usize, bytes: usize): void {
  let at: usize = 0;
  for (; at + 16 <= bytes; at += 16) v128.store(to + at, f32x4.add(v128.load(to + at), v128.load(from + at)));
  for (; at < bytes; at += 4) store<f32>(to + at, load<f32>(to + at) + load<f32>(from + at));
}
