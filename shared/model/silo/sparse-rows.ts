/** Rows of a matrix, times factors, about to be added to another row. Only factors that are not zero get in. */
export interface RowTerms {
  /** Where each row starts in its array; as `factors`, room for the most terms. */
  readonly starts: Int32Array;
  readonly factors: Float64Array;
  /** Terms in use. */
  count: number;
}

/** Room for so many terms. */
export function rowTerms(most: number): RowTerms {
  return { starts: new Int32Array(most), factors: new Float64Array(most), count: 0 };
}

/** One term more, unless it is nothing. NaN is something. */
export function addTerm(terms: RowTerms, start: number, factor: number): void {
  if (factor === 0) return;
  terms.starts[terms.count] = start;
  terms.factors[terms.count] = factor;
  terms.count += 1;
}

/** `width` values of an array from `at` on. */
export interface Row {
  readonly at: number;
  readonly width: number;
}

/** Add all terms, rows of `source`, to `width` values of `target` from `at` on: four at a time, which spares loads and stores. */
export function addRows(target: Float64Array, row: Row, source: Float64Array, terms: RowTerms): void {
  const { starts, factors, count } = terms;
  let term = 0;
  for (; term + 4 <= count; term += 4) addFour(target, row, source, fourTerms(terms, term));
  const { at, width } = row;
  for (; term < count; term++) {
    const start = starts[term] ?? 0;
    const factor = factors[term] ?? 0;
    for (let j = 0; j < width; j++)
      target[at + j] = (target[at + j] ?? 0) + factor * (source[start + j] ?? 0);
  }
}

function addFour(target: Float64Array, { at, width }: Row, source: Float64Array, four: FourTerms): void {
  const { a, b, c, d, timesA, timesB, timesC, timesD } = four;
  for (let j = 0; j < width; j++)
    target[at + j] =
      (target[at + j] ?? 0) +
      timesA * (source[a + j] ?? 0) +
      timesB * (source[b + j] ?? 0) +
      timesC * (source[c + j] ?? 0) +
      timesD * (source[d + j] ?? 0);
}

type FourTerms = ReturnType<typeof fourTerms>;

function fourTerms({ starts, factors }: RowTerms, term: number) {
  return {
    a: starts[term] ?? 0,
    b: starts[term + 1] ?? 0,
    c: starts[term + 2] ?? 0,
    d: starts[term + 3] ?? 0,
    timesA: factors[term] ?? 0,
    timesB: factors[term + 1] ?? 0,
    timesC: factors[term + 2] ?? 0,
    timesD: factors[term + 3] ?? 0,
  };
}
