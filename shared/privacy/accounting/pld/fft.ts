/** Complex numbers, real and imaginary parts apart, shape (n,) each. */
export interface Spectrum {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/**
 * Discrete Fourier transform in place, X[k] = sum x[j] exp(-2 pi i j k / n), n a power of two (Cooley and Tukey 1965,
 * radix 2). The inverse is the transform of the conjugate, over n.
 *
 * Each result is a sum of the inputs, each multiplied on its way through log2 n stages; hence its rounding error is at most
 * {@link fftError}(n) times the sum of the inputs' absolute values.
 */
export function transform({ re, im }: Spectrum): void {
  const n = re.length;
  permute(re);
  permute(im);
  const { cos, sin } = twiddles(n);
  for (let half = 1; half < n; half *= 2) {
    const stride = n / (2 * half);
    for (let block = 0; block < n; block += 2 * half)
      for (let j = 0; j < half; j++) {
        const c = cos[j * stride] ?? 0;
        const s = sin[j * stride] ?? 0;
        const low = block + j;
        const high = low + half;
        const highRe = re[high] ?? 0;
        const highIm = im[high] ?? 0;
        const turnedRe = highRe * c + highIm * s;
        const turnedIm = highIm * c - highRe * s;
        const lowRe = re[low] ?? 0;
        const lowIm = im[low] ?? 0;
        re[high] = lowRe - turnedRe;
        im[high] = lowIm - turnedIm;
        re[low] = lowRe + turnedRe;
        im[low] = lowIm + turnedIm;
      }
  }
}

/**
 * Rounding error of {@link transform} relative to the sum of absolute inputs: in each stage a term passes one complex
 * product (sqrt(5) u, Brent, Percival, Zimmermann 2007) with a twiddle factor (2 u) and one addition (u), u = 2^-53.
 */
export function fftError(n: number): number {
  return 6 * 2 ** -53 * Math.log2(n);
}

function permute(values: Float64Array): void {
  const n = values.length;
  let target = 0;
  for (let source = 0; source < n; source++) {
    if (source < target) {
      const kept = values[source] ?? 0;
      values[source] = values[target] ?? 0;
      values[target] = kept;
    }
    let bit = n >> 1;
    while (bit > 0 && (target & bit) !== 0) {
      target ^= bit;
      bit >>= 1;
    }
    target |= bit;
  }
}

interface Twiddles {
  readonly cos: Float64Array;
  readonly sin: Float64Array;
}

/** By transform length; pure tables, at most a few megabytes in all. */
const tables = new Map<number, Twiddles>();

function twiddles(n: number): Twiddles {
  const known = tables.get(n);
  if (known) return known;
  const angle = (k: number): number => (2 * Math.PI * k) / n;
  const table = {
    cos: Float64Array.from({ length: n / 2 }, (_, k) => Math.cos(angle(k))),
    sin: Float64Array.from({ length: n / 2 }, (_, k) => Math.sin(angle(k))),
  };
  tables.set(n, table);
  return table;
}
