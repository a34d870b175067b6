/** Complex numbers, real and imaginary parts apart, shape (n,) each. */
export interface Spectrum {
  readonly re: Float64Array;
  readonly im: Float64Array;
}

/**
 * Discrete Fourier transform of real numbers, X[k] = sum x[j] exp(-2 pi i j k / n) for k = 0 .. n / 2, n >= 4 a power of two;
 * the rest are conjugates. Numbers at even and odd places go through one complex transform of half the length.
 *
 * Rounding error: each result's is at most {@link fftError}(n) times the sum of the inputs' absolute values.
 */
export function spectrumOf(values: Float64Array): Spectrum {
  const half = values.length / 2;
  const [re, im] = [new Float64Array(half), new Float64Array(half)];
  for (let j = 0; j < half; j++) {
    re[j] = values[2 * j] ?? 0;
    im[j] = values[2 * j + 1] ?? 0;
  }
  transform({ re, im });
  const { cos, sin } = twiddles(half);
  const spectrum = { re: new Float64Array(half + 1), im: new Float64Array(half + 1) };
  for (let k = 0; k <= half; k++) {
    const near = k & (half - 1);
    const far = (half - k) & (half - 1);
    const nearRe = re[near] ?? 0;
    const nearIm = im[near] ?? 0;
    const farRe = re[far] ?? 0;
    const farIm = im[far] ?? 0;
    const c = cos[k] ?? -1;
    const s = sin[k] ?? 0;
    const oddRe = (nearIm + farIm) / 2;
    const oddIm = (farRe - nearRe) / 2;
    spectrum.re[k] = (nearRe + farRe) / 2 + (oddRe * c + oddIm * s);
    spectrum.im[k] = (nearIm - farIm) / 2 + (oddIm * c - oddRe * s);
  }
  return spectrum;
}

/**
 * n times the real numbers that have such a spectrum, shape (n,). Rounding error: at most {@link fftError}(n) times the sum of
 * the absolute values of all n terms of the spectrum, conjugates too.
 */
export function valuesOf(spectrum: Spectrum): Float64Array {
  const half = spectrum.re.length - 1;
  const { cos, sin } = twiddles(half);
  const [re, im] = [new Float64Array(half), new Float64Array(half)];
  for (let k = 0; k < half; k++) {
    const nearRe = spectrum.re[k] ?? 0;
    const nearIm = spectrum.im[k] ?? 0;
    const farRe = spectrum.re[half - k] ?? 0;
    const farIm = spectrum.im[half - k] ?? 0;
    const c = cos[k] ?? 0;
    const s = sin[k] ?? 0;
    const differenceRe = nearRe - farRe;
    const differenceIm = nearIm + farIm;
    re[k] = nearRe + farRe - (differenceIm * c + differenceRe * s);
    // The conjugate, so that the forward transform inverts.
    im[k] = farIm - nearIm - (differenceRe * c - differenceIm * s);
  }
  transform({ re, im });
  const values = new Float64Array(2 * half);
  for (let j = 0; j < half; j++) {
    values[2 * j] = re[j] ?? 0;
    values[2 * j + 1] = -(im[j] ?? 0);
  }
  return values;
}

/**
 * Relative rounding error of both, u = 2^-53. In each of the complex transform's log2(n) - 1 stages a term passes one product
 * (sqrt(5) u, Brent, Percival, Zimmermann 2007) with a twiddle factor (2 u) and one addition (u), together less than 6 u; and
 * what cancels between even and odd places leaves its error, so each term counts twice. One more product and three additions
 * on the way in or out are below 12 u.
 */
export function fftError(n: number): number {
  return 12 * 2 ** -53 * Math.log2(n);
}

/** In place (Cooley and Tukey 1965, radix 2): X[k] = sum x[j] exp(-2 pi i j k / n). */
function transform({ re, im }: Spectrum): void {
  const n = re.length;
  permute(re, im);
  for (let half = 1; half < n; half *= 2) {
    const { cos, sin } = twiddles(half);
    for (let block = 0; block < n; block += 2 * half)
      for (let j = 0; j < half; j++) {
        const c = cos[j] ?? 0;
        const s = sin[j] ?? 0;
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

/** To bit-reversed order. */
function permute(re: Float64Array, im: Float64Array): void {
  const n = re.length;
  let target = 0;
  for (let source = 0; source < n; source++) {
    if (source < target) {
      swap(re, source, target);
      swap(im, source, target);
    }
    let bit = n >> 1;
    while (bit > 0 && (target & bit) !== 0) {
      target ^= bit;
      bit >>= 1;
    }
    target |= bit;
  }
}

function swap(values: Float64Array, a: number, b: number): void {
  const kept = values[a] ?? 0;
  values[a] = values[b] ?? 0;
  values[b] = kept;
}

interface Twiddles {
  readonly cos: Float64Array;
  readonly sin: Float64Array;
}

/** By half the length of a stage; pure tables, at most a few megabytes in all. */
const tables = new Map<number, Twiddles>();

/** Of exp(i pi k / half) for k below half. */
function twiddles(half: number): Twiddles {
  const known = tables.get(half);
  if (known) return known;
  const angle = (k: number): number => (Math.PI * k) / half;
  const table = {
    cos: Float64Array.from({ length: half }, (_, k) => Math.cos(angle(k))),
    sin: Float64Array.from({ length: half }, (_, k) => Math.sin(angle(k))),
  };
  tables.set(half, table);
  return table;
}
