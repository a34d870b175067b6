import { setFlagsFromString } from 'node:v8';
import fc from 'fast-check';
import { expect } from 'vitest';
import { makeArena, type Rows } from '../../../shared/model/kernels/arena.ts';
import { type Arithmetic, loadKernels } from '../../../shared/model/kernels/kernels.ts';

// Node 20 knows relaxed vectors behind a flag only: with it, both binaries are tested on every Node.
if (process.versions.node.startsWith('20.')) setFlagsFromString('--experimental-wasm-relaxed-simd');

/** Matrices in and out of the kernels' memory, and the plain loops in float64 that they are compared with. */
export let kernels = loadKernels('plain');
export let arena = makeArena(kernels);
/** Everything that an example took is given back here. */
export const start = arena.mark();

/** Fresh kernels of one kind for the tests that follow. */
export function takeKernels(arithmetic: Arithmetic): void {
  kernels = loadKernels(arithmetic);
  arena = makeArena(kernels);
}

export type Plain = number[][];

export const size = fc.integer({ min: 0, max: 21 });
const value = fc.double({ min: -2, max: 2, noNaN: true }).map(Math.fround);

export function matrix(rows: number, columns: number): fc.Arbitrary<Plain> {
  const row = fc.array(value, { minLength: columns, maxLength: columns });
  return fc.array(row, { minLength: rows, maxLength: rows });
}

export function put(values: Plain, columns: number): Rows {
  const room = arena.zeroRows(values.length, columns);
  for (const [i, row] of values.entries()) arena.floats(room.at + i * room.row, row.length).set(row);
  return room;
}

export function get(room: Rows, rows: number, columns: number): Plain {
  return Array.from({ length: rows }, (_, i) => [...arena.floats(room.at + i * room.row, columns)]);
}

export function doubles(values: readonly number[]): number {
  const at = arena.take(8 * values.length);
  arena.doubles(at, values.length).set(values);
  return at;
}

export function product(a: Plain, b: Plain, columns: number): Plain {
  return a.map((row) =>
    Array.from({ length: columns }, (_, j) => row.reduce((sum, x, p) => sum + x * b[p]![j]!, 0)),
  );
}

export function transposed(a: Plain, columns: number): Plain {
  return Array.from({ length: columns }, (_, j) => a.map((row) => row[j]!));
}

export function expectClose(got: Plain, want: Plain, tolerance = 1e-5): void {
  expect(got.length).toBe(want.length);
  for (const [i, row] of want.entries()) {
    const scale = Math.max(1, ...row.map(Math.abs));
    for (const [j, x] of row.entries()) expect(Math.abs(got[i]![j]! - x)).toBeLessThan(tolerance * scale);
  }
}

export function check<T>(arbitrary: fc.Arbitrary<T>, property: (example: T) => void): void {
  fc.assert(
    fc.property(arbitrary, (example) => {
      arena.release(start);
      property(example);
    }),
    { numRuns: 100, seed: 5 },
  );
}
