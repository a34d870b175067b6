import type { Kernels } from './kernels.ts';

/** A float32 matrix in the kernels' memory: where it starts and the distance of its rows, both in bytes. */
export interface Rows {
  readonly at: number;
  readonly row: number;
}

/**
 * Room in the kernels' memory, handed out in order and given back all at once down to a mark. Fresh room is not cleared.
 * Views are made anew after every `take`: the memory may have moved when it grew.
 */
export interface Arena {
  /** Room for so many bytes, on a multiple of 16. */
  readonly take: (bytes: number) => number;
  /** Room for so many rows of float32 values, each padded to whole vectors of four. */
  readonly rows: (rows: number, columns: number) => Rows;
  /** The same, filled with zeros. */
  readonly zeroRows: (rows: number, columns: number) => Rows;
  readonly mark: () => number;
  readonly release: (mark: number) => void;
  readonly floats: (at: number, length: number) => Float32Array;
  readonly doubles: (at: number, length: number) => Float64Array;
  readonly integers: (at: number, length: number) => Int32Array;
}

const pageBytes = 65536;

/** Bytes of a row of so many float32 values, padded to whole vectors of four. */
export function rowBytes(columns: number): number {
  return 4 * padded(columns);
}

/** The next multiple of four. */
export function padded(columns: number): number {
  return 4 * Math.ceil(columns / 4);
}

/** Bytes of scratch that `addOuterProducts` takes for so many columns of either factor: a stretch of 128 rows in float64, and lists. */
export function outerBytes(inputs: number, units: number): number {
  return 128 * 13 * (padded(inputs + 1) + padded(units));
}

/** All of an instance's memory above the first page, which holds the compiler's tables. */
export function makeArena({ memory }: Kernels): Arena {
  let next = pageBytes;
  const take = (bytes: number): number => {
    const at = next;
    next += 16 * Math.ceil(bytes / 16);
    const missing = next - memory.buffer.byteLength;
    if (missing > 0) memory.grow(Math.ceil(missing / pageBytes));
    return at;
  };
  const rows = (count: number, columns: number): Rows => {
    const row = rowBytes(columns);
    return { at: take(count * row), row };
  };
  return {
    take,
    rows,
    zeroRows: (count, columns) => {
      const room = rows(count, columns);
      new Uint8Array(memory.buffer, room.at, count * room.row).fill(0);
      return room;
    },
    mark: () => next,
    release: (mark) => {
      next = mark;
    },
    floats: (at, length) => new Float32Array(memory.buffer, at, length),
    doubles: (at, length) => new Float64Array(memory.buffer, at, length),
    integers: (at, length) => new Int32Array(memory.buffer, at, length),
  };
}
