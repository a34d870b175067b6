import { makeArena, rowBytes } from '../shared/model/kernels/arena.ts';
import { loadKernels } from '../shared/model/kernels/kernels.ts';

/** A matrix product (m, k) x (k, n) of the kernels, ready to be run. */
export interface Product {
  readonly name: string;
  /** Float operations of one run. */
  readonly flops: number;
  readonly run: () => void;
}

/** The packed float32 product of one core. */
export function packedProduct(m: number, n: number, k: number): Product {
  const kernels = loadKernels();
  const arena = makeArena(kernels);
  const [a, b, c] = [arena.zeroRows(m, k), arena.zeroRows(k, n), arena.zeroRows(m, n)];
  arena.floats(a.at, (m * rowBytes(k)) / 4).fill(0.5);
  arena.floats(b.at, (k * rowBytes(n)) / 4).fill(0.25);
  const packed = arena.take(32 * k * Math.ceil(n / 8));
  kernels.pack(k, n, b.at, b.row, 4, packed);
  return {
    name: `${m} x ${n} x ${k}`,
    flops: 2 * m * n * k,
    run: () => {
      kernels.multiply(m, n, k, a.at, a.row, 4, packed, 32 * k, 32, c.at, c.row, 1, 0);
    },
  };
}
