import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { outerBytes, padded, type Rows } from '../../../shared/model/kernels/arena.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';
import {
  arena,
  check,
  doubles,
  expectClose,
  get,
  kernels,
  matrix,
  type Plain,
  product,
  put,
  size,
  start,
  takeKernels,
  transposed,
} from './kernel-room.ts';

function spare(columns: number): number[] {
  return new Array<number>(columns).fill(0);
}

/** Where a kernel started from numbers 0, 1, ... in rows of `widths`: outer products by plain loops, 128 rows at a time. */
function inStretches(h: Plain, d: Plain, c: readonly number[], widths: number): Plain {
  const starts = Array.from({ length: Math.ceil(h.length / 128) }, (_, i) => 128 * i);
  const stretch = (left: readonly number[], right: readonly number[], start: number): number => {
    let sum = 0;
    for (let r = start; r < Math.min(start + 128, c.length); r++) sum += c[r]! * left[r]! * right[r]!;
    return sum;
  };
  const columns = transposed(d, d[0]!.length);
  return transposed(
    h.map((row) => [...row, 1]),
    h[0]!.length + 1,
  ).map((left, i) =>
    columns.map((right, j) => starts.reduce((sum, from) => sum + stretch(left, right, from), i * widths + j)),
  );
}

/** The float64 kernels against plain loops, on shapes with every kind of edge. */
describe.each(['plain', 'fused'] as const)('float64, %s', (arithmetic) => {
  beforeAll(() => {
    takeKernels(arithmetic);
  });

  test('widen, gram, mirror, narrowPlusOne', () => {
    check(
      fc.tuple(size, size).chain(([m, k]) => fc.record({ a: matrix(m, k), k: fc.constant(k) })),
      ({ a, k }) => {
        const m = a.length;
        const narrow = put(a, k);
        const [wide, out] = [arena.take(8 * m * padded(k)), arena.take(8 * m * m)];
        kernels.widen(m, padded(k), narrow.at, narrow.row, wide, 8 * padded(k));
        const first = Math.floor(m / 2);
        const tail = wide + first * 8 * padded(k);
        kernels.gram(first, 0, padded(k), wide, wide, 8 * padded(k), out, 8 * m);
        kernels.gram(m - first, first, padded(k), tail, wide, 8 * padded(k), out + first * 8 * m, 8 * m);
        kernels.mirror(m, out, 8 * m);
        const want = product(a, transposed(a, k), m);
        const got = Array.from({ length: m }, (_, i) => [...arena.doubles(out + i * 8 * m, m)]);
        expectClose(got, want, 1e-14);
        const plusOne = arena.rows(m, m);
        kernels.narrowPlusOne(m, m, out, 8 * m, plusOne.at, plusOne.row);
        expect(get(plusOne, m, m)).toEqual(got.map((row) => row.map((x) => Math.fround(x + 1))));
      },
    );
  });

  test('wideLayer: the bits of the plain loop, whatever the processor knows', () => {
    const layers = fc.tuple(size, size, fc.integer({ min: 0, max: 37 })).chain(([m, k, n]) =>
      fc.record({
        k: fc.constant(k),
        n: fc.constant(n),
        x: matrix(m, k),
        w: matrix(k, n),
        bias: matrix(1, n),
      }),
    );
    check(layers, ({ k, n, x, w, bias: [bias] }) => {
      const sparse = x.map((row) => row.map((value, p) => (p % 3 === 0 ? 0 : value)));
      const columns = padded(n);
      const wide = (rows: Plain): number => doubles(rows.flatMap((row) => [...row, ...spare(columns - n)]));
      const out = arena.take(8 * x.length * columns);
      const from = [doubles(sparse.flat()), 8 * k, wide(w), wide([bias!])] as const;
      kernels.wideLayer(x.length, columns, k, ...from, out);
      const got = sparse.map((_, i) => [...arena.doubles(out + 8 * i * columns, n)]);
      const want = sparse.map((row) =>
        bias!.map((b, j) => row.reduce((sum, value, p) => (value === 0 ? sum : sum + value * w[p]![j]!), b)),
      );
      expect(got).toEqual(want);
    });
  });

  test('factored norm and mass, outer products: a sum of rank-one terms that is never formed is measured and added', () => {
    const terms = fc.tuple(size, size, size).chain(([rows, inputs, units]) =>
      fc.record({
        inputs: fc.constant(inputs),
        units: fc.constant(units),
        h: matrix(rows, inputs),
        d: matrix(rows, units),
        c: fc.array(fc.constantFrom(0, 1, 0.3), { minLength: rows, maxLength: rows }),
      }),
    );
    check(terms, ({ inputs, units, h, d, c }) => {
      const rows = h.length;
      const withOne = h.map((row) => [...row, 1]);
      const [left, right] = [put(h, inputs), put(d, units)];
      const gramOf = (room: Rows, columns: number): number => {
        const [wide, out] = [arena.take(8 * rows * padded(columns)), arena.take(8 * rows * rows)];
        kernels.widen(rows, padded(columns), room.at, room.row, wide, 8 * padded(columns));
        kernels.gram(rows, 0, padded(columns), wide, wide, 8 * padded(columns), out, 8 * rows);
        return out;
      };
      const grams = [rows, gramOf(left, inputs), 8 * rows, gramOf(right, units), 8 * rows] as const;
      const whole = product(transposed(withOne, inputs + 1), d, units).flat();
      const want = whole.reduce((sum, x) => sum + x * x, 0);
      expect(Math.abs(kernels.factoredNorm(...grams) - want)).toBeLessThan(1e-11 * (1 + want));
      const norm = (row: number[]): number => Math.hypot(...row);
      const mass = d.reduce((sum, row, i) => sum + norm(withOne[i]!) * norm(row), 0);
      expect(kernels.factoredMass(...grams)).toBeCloseTo(mass, 9);

      const spoilt = h.map((row, i) => (c[i] === 0 ? row.map(() => NaN) : row));
      const input = put(spoilt, inputs);
      const [widths, heights] = [padded(units), padded(inputs + 1)];
      const sum = doubles(Array.from({ length: widths * heights }, (_, i) => i));
      const scratch = arena.take(outerBytes(inputs, units));
      const coefficients = doubles(c);
      const sizes = [rows, inputs, units] as const;
      kernels.addOuterProducts(
        ...[...sizes, input.at, input.row, right.at, right.row, coefficients, sum, scratch],
      );
      const scaled = d.map((row, i) => row.map((x) => c[i]! * x));
      const added = product(transposed(withOne, inputs + 1), scaled, units);
      const got = added.map((_row, i) => [...arena.doubles(sum + 8 * i * widths, units)]);
      expectClose(
        got,
        added.map((row, i) => row.map((x, j) => x + i * widths + j)),
        1e-13,
      );
    });
  });

  test('outer products pass over zeros and rows that do not count, and keep every bit', () => {
    const wide = fc.integer({ min: 1, max: 37 });
    const zeros = fc.constantFrom(0, 0.3, 0.6, 0.95, 1);
    const sizes = fc.record({ rows: fc.integer({ min: 1, max: 290 }), inputs: wide, units: wide });
    const terms = fc.record({ sizes, left: zeros, right: zeros, seed: fc.nat() });
    check(terms, ({ sizes: { rows, inputs, units }, left, right, seed }) => {
      const rng = seededRng(Seed.parse(seed));
      const sparse = (columns: number, share: number): Plain =>
        Array.from({ length: rows }, () =>
          Array.from({ length: columns }, () =>
            rng.uniform() < share ? 0 : Math.fround(2 * rng.uniform() - 1),
          ),
        );
      const [h, d] = [sparse(inputs, left), sparse(units, right)];
      // Powers of two: products stay exact, so that fused and unfused sums are the plain loop's to the bit.
      const c = Array.from({ length: rows }, () => [0, 0.5, -1][rng.uint32() % 3]!);
      const spoilt = h.map((row, i) => (c[i] === 0 ? row.map(() => Infinity) : row));
      const [input, descent] = [put(spoilt, inputs), put(d, units)];
      const [heights, widths] = [padded(inputs + 1), padded(units)];
      const sum = doubles(Array.from({ length: heights * widths }, (_, i) => i));
      const scratch = arena.take(outerBytes(inputs, units));
      kernels.addOuterProducts(
        ...([rows, inputs, units, input.at, input.row, descent.at, descent.row] as const),
        ...([doubles(c), sum, scratch] as const),
      );
      const got = h[0]!.concat(1).map((_, i) => [...arena.doubles(sum + 8 * i * widths, units)]);
      expect(got).toEqual(inStretches(h, d, c, widths));
    });
  });

  test('outer products of more rows than fit into one stretch', () => {
    arena.release(start);
    const h = Array.from({ length: 300 }, (_, i) => [Math.sin(i), Math.cos(i)].map(Math.fround));
    const room = put(h, 2);
    const sum = doubles(new Array<number>(16).fill(0));
    const ones = doubles(new Array<number>(300).fill(1));
    const scratch = arena.take(outerBytes(2, 2));
    kernels.addOuterProducts(300, 2, 2, room.at, room.row, room.at, room.row, ones, sum, scratch);
    const want = product(transposed(h, 2), h, 2);
    expectClose([[...arena.doubles(sum, 2)], [...arena.doubles(sum + 32, 2)]], want, 1e-14);
  });

  test('differences, their norm, scaled values, inner products', () => {
    const pairs = size.chain((rows) => fc.record({ a: matrix(rows, 4), b: matrix(rows, 4) }));
    check(pairs, ({ a, b }) => {
      const length = 4 * a.length;
      const [left, right] = [put(a, 4), put(b, 4)];
      const differences = a.flat().map((x, i) => Math.fround(x - b.flat()[i]!));
      const squares = differences.reduce((sum, x) => sum + x * x, 0);
      expect(kernels.differenceNorm(length, left.at, right.at)).toBeCloseTo(squares, 10);
      const sum = doubles(Array.from({ length }, (_, i) => i));
      kernels.addDifference(length, left.at, right.at, 0.3, sum);
      kernels.addScaled(length, left.at, 0.7, sum);
      expectClose(
        [[...arena.doubles(sum, length)]],
        [differences.map((x, i) => i + 0.3 * x + 0.7 * a.flat()[i]!)],
        1e-14,
      );
      const inner = a.flat().reduce((total, x, i) => total + x * b.flat()[i]!, 0);
      const got = kernels.innerProduct(a.length, 4, left.at, left.row, right.at, right.row);
      expect(got).toBeCloseTo(inner, 10);
    });
  });
});
