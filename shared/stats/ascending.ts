/**
 * The scores in ascending order as `toSorted` gives them: -0 before 0, NaN last. Many are sorted by a radix sort of their leading
 * bits, in about half of the time.
 */
export function ascending(scores: Float64Array): Float64Array<ArrayBuffer> {
  // NaN may have either sign, so that its bits say nothing of its place.
  const isRadixWorth = scores.length >= smallestRadix && !hasNaN(scores);
  return isRadixWorth ? radixSorted(scores) : new Float64Array(scores).sort();
}

const smallestRadix = 20_000;
const digits = 2048;
/** Of the three digits of a number's high word, the least important first. */
const shifts = [0, 11, 22] as const;
const signBit = 0x8000_0000;

function hasNaN(scores: Float64Array): boolean {
  for (let i = 0; i < scores.length; i++) if (Number.isNaN(scores[i])) return true;
  return false;
}

/** Orders by sign, exponent and the first 20 bits of the fraction; runs of numbers that agree in these are sorted apart. */
function radixSorted(scores: Float64Array): Float64Array<ArrayBuffer> {
  let from = new Uint32Array(new Float64Array(scores).buffer);
  let to = new Uint32Array(from.length);
  const ends = endsOf(from);
  for (const [pass, shift] of shifts.entries()) {
    scatter(from, to, shift, ends.subarray(pass * digits, (pass + 1) * digits));
    [from, to] = [to, from];
  }
  const sorted = new Float64Array(from.buffer);
  const words = from;
  for (let start = 0, end = 1; start < sorted.length; start = end++) {
    while (end < sorted.length && words[2 * end + 1] === words[2 * start + 1]) end++;
    if (end - start > 1) sortRun(sorted, start, end);
  }
  return sorted;
}

/** A number's high word as an unsigned integer that grows with the number. Without a branch, which signs would mislead half the time. */
function rank(high: number): number {
  return (high ^ ((high >> 31) | signBit)) >>> 0;
}

/** How many numbers have a smaller digit: where each digit's numbers begin, for each pass; shape (passes * digits,). */
function endsOf(words: Uint32Array): Uint32Array {
  const counts = new Uint32Array(shifts.length * digits);
  for (let at = 1; at < words.length; at += 2) {
    const key = rank(words[at] ?? 0);
    for (let pass = 0; pass < shifts.length; pass++) {
      const cell = pass * digits + ((key >>> (11 * pass)) & (digits - 1));
      counts[cell] = (counts[cell] ?? 0) + 1;
    }
  }
  let sum = 0;
  for (let cell = 0; cell < counts.length; cell++) {
    if (cell % digits === 0) sum = 0;
    const count = counts[cell] ?? 0;
    counts[cell] = sum;
    sum += count;
  }
  return counts;
}

/** One stable pass: numbers, two words each, to where their digit's next one belongs. */
function scatter(from: Uint32Array, to: Uint32Array, shift: number, ends: Uint32Array): void {
  for (let at = 0; at < from.length; at += 2) {
    const high = from[at + 1] ?? 0;
    const digit = (rank(high) >>> shift) & (digits - 1);
    const place = ends[digit] ?? 0;
    ends[digit] = place + 1;
    to[2 * place] = from[at] ?? 0;
    to[2 * place + 1] = high;
  }
}

/** Almost all runs are of a few numbers, for which the built-in sort takes long to start. */
function sortRun(sorted: Float64Array, start: number, end: number): void {
  if (end - start > 24) {
    sorted.subarray(start, end).sort();
    return;
  }
  for (let next = start + 1; next < end; next++) {
    const value = sorted[next] ?? 0;
    let place = next;
    for (; place > start && (sorted[place - 1] ?? 0) > value; place--) sorted[place] = sorted[place - 1] ?? 0;
    sorted[place] = value;
  }
}
