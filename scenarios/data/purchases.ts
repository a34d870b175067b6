import type { Table } from '../../shared/data/table.ts';
import type { Rng } from '../../shared/random/rng.ts';
import { shuffled } from '../../shared/random/sample.ts';

/** Receipt lines with the columns {@link receiptColumns}, and how many kinds of basket to tell apart. */
export interface Receipts {
  readonly table: Table;
  /** Integer >= 2, at most the number of baskets. */
  readonly classes: number;
  readonly rng: Rng;
}

/** The columns that are read of the receipts: household, time (`2017-01-28 ...`), category. */
export const receiptColumns = ['household_id', 'transaction_timestamp', 'product_category'];

/**
 * A classification task after Purchase-100 (Shokri et al. 2017, arXiv:1610.05820): one row for what a household bought in a
 * quarter of a year, as a set of categories, and a class that k-means found. Making the classes looks at all households at
 * once: that is the construction of a benchmark, in a simulation, and nothing that a site could do. Rows in the order of
 * the receipts; the same for the same `rng`.
 */
export function purchaseTable({ table, classes, rng }: Receipts): Pick<Table, 'header' | 'rows'> {
  const baskets = basketsOf(table);
  const kinds = clusters(
    baskets.map(({ categories }) => [...categories]),
    classes,
    rng,
  );
  return {
    header: ['household_id', 'quarter', 'categories', 'class'],
    rows: baskets.map(({ household, quarter, categories }, index) => [
      household,
      String(quarter),
      [...categories].sort().join('|'),
      String(kinds[index] ?? 0),
    ]),
  };
}

interface Basket {
  readonly household: string;
  readonly quarter: number;
  readonly categories: Set<string>;
}

function basketsOf(table: Table): readonly Basket[] {
  const [household = 0, time = 0, category = 0] = receiptColumns.map((column) =>
    table.header.indexOf(column),
  );
  const baskets = new Map<string, Basket>();
  for (const cells of table.rows) {
    // A receipt line without a category says nothing about the basket.
    if (cells[category] === '') continue;
    const quarter = Math.ceil(Number((cells[time] ?? '').slice(5, 7)) / 3);
    const key = `${cells[household] ?? ''} ${quarter}`;
    const basket = baskets.get(key) ?? { household: cells[household] ?? '', quarter, categories: new Set() };
    baskets.set(key, basket);
    basket.categories.add(cells[category] ?? '');
  }
  return [...baskets.values()];
}

const iterations = 20;

/**
 * Spherical k-means (Dhillon and Modha 2001): the class of each set is the centre with the largest cosine. Plain k-means
 * gives one class to each of the largest baskets and one to half of the others. Centres start at distinct baskets.
 */
function clusters(sets: readonly (readonly string[])[], classes: number, rng: Rng): readonly number[] {
  const places = new Map([...new Set(sets.flat())].sort().map((name, index) => [name, index]));
  const points = sets.map((set) => set.map((name) => places.get(name) ?? 0));
  const starts = shuffled(rng, points.length).subarray(0, classes);
  let centres = Array.from(starts, (start) => mean([points[start] ?? []], places.size));
  let kinds: readonly number[] = [];
  for (let iteration = 0; iteration < iterations; iteration++) {
    kinds = points.map((point) => nearest(point, centres));
    const members = centres.map((): (readonly number[])[] => []);
    points.forEach((point, index) => members[kinds[index] ?? 0]?.push(point));
    centres = centres.map((centre, kind) => {
      const own = members[kind] ?? [];
      return own.length === 0 ? centre : mean(own, places.size);
    });
  }
  return kinds;
}

/** The direction of the sum of unit vectors, of length 1. */
function mean(points: readonly (readonly number[])[], size: number): Float64Array {
  const sum = new Float64Array(size);
  for (const point of points)
    for (const place of point) sum[place] = (sum[place] ?? 0) + 1 / Math.sqrt(point.length);
  const length = Math.sqrt(sum.reduce((total, value) => total + value * value, 0));
  return sum.map((value) => value / length);
}

function nearest(point: readonly number[], centres: readonly Float64Array[]): number {
  let [best, largest] = [0, -1];
  centres.forEach((centre, kind) => {
    const cosine = point.reduce((sum, place) => sum + (centre[place] ?? 0), 0);
    if (cosine > largest) [best, largest] = [kind, cosine];
  });
  return best;
}
