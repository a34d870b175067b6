import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { padded, rowBytes } from '../../../shared/model/kernels/arena.ts';
import {
  arena,
  check,
  expectClose,
  get,
  kernels,
  matrix,
  product,
  put,
  size,
  start,
  takeKernels,
  transposed,
} from './kernel-room.ts';

/** The float32 kernels against plain loops in float64, on shapes with every kind of edge. */
const factors = fc.tuple(size, size, size).chain(([m, n, k]) =>
  fc.record({
    m: fc.constant(m),
    n: fc.constant(n),
    k: fc.constant(k),
    a: matrix(m, k),
    b: matrix(k, n),
    c: matrix(m, n),
    alpha: fc.constantFrom(1, -0.5),
    beta: fc.constantFrom(0, 1, 0.25),
  }),
);

describe.each(['plain', 'fused'] as const)('float32 products, %s', (arithmetic) => {
  beforeAll(() => {
    takeKernels(arithmetic);
  });

  test('multiply: a plain, transposed; b packed, packed from its transpose, row-major', () => {
    check(factors, ({ m, n, k, a, b, c, alpha, beta }) => {
      const want = product(a, b, n).map((row, i) => row.map((x, j) => alpha * x + beta * c[i]![j]!));
      const [left, right, turned] = [put(a, k), put(b, n), put(transposed(b, n), k)];
      const leftTurned = put(transposed(a, k), m);
      const packed = arena.take(Math.ceil(n / 8) * k * 32);
      const panels = [packed, 32 * k, 32] as const;
      kernels.pack(k, n, right.at, right.row, 4, packed);
      const lefts: readonly (readonly [number, number, number])[] = [
        [left.at, left.row, 4],
        [leftTurned.at, 4, leftTurned.row],
      ];
      for (const from of lefts) {
        const out = put(c, n);
        kernels.multiply(m, n, k, ...from, ...panels, out.at, out.row, alpha, beta);
        expectClose(get(out, m, n), want);
        const direct = put(c, n);
        kernels.multiply(m, n, k, ...from, right.at, 32, right.row, direct.at, direct.row, alpha, beta);
        expect(get(direct, m, n)).toEqual(get(out, m, n));
      }
      kernels.pack(k, n, turned.at, 4, turned.row, packed);
      const out = put(c, n);
      kernels.multiply(m, n, k, left.at, left.row, 4, ...panels, out.at, out.row, alpha, beta);
      expectClose(get(out, m, n), want);
    });
  });

  test("a row's product is the same to the bit alone and among others", () => {
    check(factors, ({ m, n, k, a, b }) => {
      const [left, right, out, alone] = [put(a, k), put(b, n), arena.rows(m, n), arena.rows(1, n)];
      kernels.multiply(m, n, k, left.at, left.row, 4, right.at, 32, right.row, out.at, out.row, 1, 0);
      for (let i = 0; i < m; i++) {
        const from = left.at + i * left.row;
        kernels.multiply(1, n, k, from, left.row, 4, right.at, 32, right.row, alone.at, alone.row, 1, 0);
        expect(get(alone, 1, n)[0]).toEqual(get(out, m, n)[i]);
      }
    });
  });

  test('multiplyRows: times the transposed', () => {
    check(factors, ({ m, n, k, a, b }) => {
      const [left, right, out] = [put(a, k), put(transposed(b, n), k), arena.rows(m, n)];
      kernels.multiplyRows(m, n, k, left.at, left.row, right.at, right.row, out.at, out.row);
      expectClose(get(out, m, n), product(a, b, n));
    });
  });
});

describe.each(['plain', 'fused'] as const)('rows, %s', (arithmetic) => {
  beforeAll(() => {
    takeKernels(arithmetic);
  });

  test('activations and their slopes; padding becomes zero', () => {
    const functions: readonly ((x: number) => number)[] = [
      (x) => x,
      (x) => Math.max(0, x),
      Math.tanh,
      (x) => 1 / (1 + Math.exp(-x)),
    ];
    const slopes: readonly ((y: number) => number)[] = [
      () => 1,
      (y) => (y === 0 ? 0 : 1),
      (y) => 1 - y * y,
      (y) => y * (1 - y),
    ];
    const example = fc.tuple(fc.integer({ min: 0, max: 9 }), fc.integer({ min: 1, max: 9 }));
    const cases = example.chain(([rows, columns]) =>
      fc.record({ a: matrix(rows, columns), g: matrix(rows, columns), columns: fc.constant(columns) }),
    );
    check(cases, ({ a, g, columns }) => {
      for (const kind of functions.keys()) {
        const [room, gradient] = [put(a, columns), put(g, columns)];
        const padding = rowBytes(columns) / 4 - columns;
        for (let i = 0; i < a.length; i++)
          arena.floats(room.at + i * room.row + 4 * columns, padding).fill(NaN);
        kernels.activate(kind, a.length, columns, room.at, room.row);
        const want = a.map((row) => row.map(functions[kind]!));
        expectClose(get(room, a.length, columns), want, 1e-6);
        kernels.multiplySlope(kind, a.length, columns, room.at, gradient.at, gradient.row);
        const slope = g.map((row, i) => row.map((x, j) => x * slopes[kind]!(want[i]![j]!)));
        expectClose(get(gradient, a.length, columns), slope, 1e-5);
        const all = [
          ...get(room, a.length, columns + padding),
          ...get(gradient, a.length, columns + padding),
        ];
        expect(all.flatMap((row) => row.slice(columns)).every((x) => x === 0)).toBe(true);
      }
    });
    for (const bad of [NaN, Infinity]) {
      arena.release(start);
      for (const kind of functions.keys()) {
        const room = put([[bad]], 1);
        kernels.activate(kind, 1, 1, room.at, room.row);
        expect(get(room, 1, 1)[0]![0]).toBe(functions[kind]!(bad));
      }
    }
  });

  test('fill, combine, gather, add, pad', () => {
    const cases = fc
      .tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 }))
      .chain(([rows, columns]) =>
        fc.record({
          a: matrix(rows, columns),
          c: matrix(rows, columns),
          columns: fc.constant(columns),
          indices: fc.array(fc.nat(rows - 1), { minLength: rows, maxLength: rows }),
          beta: fc.constantFrom(0, 1, -0.5),
        }),
      );
    check(cases, ({ a, c, columns, indices, beta }) => {
      const rows = a.length;
      const left = put(a, columns);
      const filled = put(c, columns);
      kernels.fillRows(rows, padded(columns), filled.at, filled.row, left.at, 0.5);
      expect(get(filled, rows, columns)).toEqual(c.map(() => a[0]!.map((x) => Math.fround(0.5 * x))));
      const combined = put(c, columns);
      kernels.combineRows(
        ...[rows, padded(columns), left.at, left.row, combined.at, combined.row, 0.25, beta],
      );
      expectClose(
        get(combined, rows, columns),
        a.map((row, i) => row.map((x, j) => 0.25 * x + beta * c[i]![j]!)),
      );
      const at = arena.take(4 * rows);
      arena.integers(at, rows).set(indices);
      const gathered = put(c, columns);
      kernels.gatherRows(rows, rowBytes(columns), left.at, left.row, at, gathered.at, gathered.row);
      expect(get(gathered, rows, columns)).toEqual(indices.map((row) => a[row]!));
      const total = put([c[0]!], columns);
      kernels.addRows(rows, padded(columns), left.at, left.row, total.at, -0.5, beta);
      const column = (j: number): number => a.reduce((sum, row) => sum + row[j]!, 0);
      expectClose(get(total, 1, columns), [c[0]!.map((x, j) => beta * x - 0.5 * column(j))]);
      const tight = arena.take(4 * rows * columns);
      arena.floats(tight, rows * columns).set(a.flat());
      const spaced = put(
        c.map((row) => row.map(() => NaN)),
        columns,
      );
      kernels.padRows(rows, columns, tight, spaced.at, spaced.row);
      expect(get(spaced, rows, padded(columns))).toEqual(
        a.map((row) => [...row, ...new Array<number>(padded(columns) - columns).fill(0)]),
      );
    });
  });
});
