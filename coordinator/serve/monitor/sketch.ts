import { createHmac } from 'node:crypto';
import { keyedRng } from '../../../shared/random/rng.ts';

/**
 * What the monitor remembers of a record instead of the record: a keyed digest for "the same again", and a keyed random
 * projection whose distances are about those of the records (Johnson and Lindenstrauss 1984). Both only in memory.
 */
export interface Sketcher {
  /** 32 keyed bytes of a record of shape (numFeatures,), the same for all records of one cell of the grid. */
  readonly digest: (record: Float32Array) => Uint8Array;
  /** Shape (sketchWidth,). */
  readonly sketch: (record: Float32Array) => Float32Array;
}

/** Numbers in a sketch: distances are off by about a tenth. */
export const sketchWidth = 48;

/** Numbers of two sketches that are compared at a time; divides the width. */
const block = 8;

/** Cells on each axis of the encoded records' space: copies that differ by less are the same record. */
const cellsPerUnit = 64;

/** The sketcher of a model's records under a secret of 32 bytes. */
export function createSketcher(numFeatures: number, secret: Uint8Array): Sketcher {
  const key = derivedKey(secret, 'record digest');
  const signs = randomSigns(numFeatures, derivedKey(secret, 'sketch'));
  return {
    digest: (record) => createHmac('sha256', key).update(cellOf(record)).digest(),
    sketch: (record) => {
      const sketch = new Float32Array(sketchWidth);
      for (let feature = 0; feature < numFeatures; feature++) {
        const value = record[feature] ?? 0;
        if (value === 0) continue;
        const row = feature * sketchWidth;
        for (let i = 0; i < sketchWidth; i++) sketch[i] = (sketch[i] ?? 0) + value * (signs[row + i] ?? 0);
      }
      return sketch;
    },
  };
}

/** A key for one purpose, 32 bytes. */
export function derivedKey(secret: Uint8Array, purpose: string): Uint8Array {
  return createHmac('sha256', secret).update(`parley serve ${purpose}`).digest();
}

/** The squared distance of two sketches; some number above `most` wherever it exceeds it. */
export function squaredDistance(a: Float32Array, b: Float32Array, most: number): number {
  let sum = 0;
  // Most pairs are told apart by the first few numbers; asking after each one costs more than the rest of a block.
  for (let start = 0; start < sketchWidth && sum <= most; start += block)
    for (let i = start; i < start + block; i++) {
      const gap = (a[i] ?? 0) - (b[i] ?? 0);
      sum += gap * gap;
    }
  return sum;
}

function cellOf(record: Float32Array): Uint8Array {
  const cell = new Int32Array(record.length);
  for (let i = 0; i < record.length; i++) cell[i] = Math.round((record[i] ?? 0) * cellsPerUnit);
  return new Uint8Array(cell.buffer);
}

/** Independent signs over the square root of the width, so that squared lengths stay on average; shape (numFeatures, width). */
function randomSigns(numFeatures: number, key: Uint8Array): Float32Array {
  const rng = keyedRng(key);
  const size = 1 / Math.sqrt(sketchWidth);
  return Float32Array.from({ length: numFeatures * sketchWidth }, () => (rng.uint32() & 1 ? size : -size));
}
