import type { Tensor } from '@tensorflow/tfjs';
import fc from 'fast-check';
import { beforeAll, expect, test } from 'vitest';
import { type Backend, loadBackend, selectBackend } from '../../../shared/model/backend.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';
import { distance, norm } from './samples.ts';

/** Derivatives on wasm against those of tfjs's own cpu backend, which are plain loops. */
let cpu: Backend;
let wasm: Backend;
beforeAll(async () => {
  cpu = await loadBackend('cpu');
  wasm = await loadBackend('wasm');
});

type Shape = readonly number[];

function values(shape: Shape, stream: string): Float32Array {
  const rng = seededRng(Seed.parse(5)).fork(stream);
  return Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => 2 * rng.uniform() - 1);
}

/** The derivatives of sum(weights * f(inputs)) by each input. */
function derivatives(
  { tf, ...backend }: Backend,
  f: (...inputs: Tensor[]) => Tensor,
  shapes: readonly Shape[],
): Float32Array[] {
  selectBackend({ tf, ...backend });
  return tf.tidy(() => {
    const inputs = shapes.map((shape, index) => tf.tensor(values(shape, `input ${index}`), [...shape]));
    const weighted = (...xs: Tensor[]): Tensor => {
      const output = f(...xs);
      return tf.sum(tf.mul(output, tf.tensor(values(output.shape, 'weights'), output.shape)));
    };
    return tf
      .grads(weighted)(inputs)
      .map((gradient) => Float32Array.from(gradient.dataSync()));
  });
}

function expectSame(f: (...inputs: Tensor[]) => Tensor, shapes: readonly Shape[]): void {
  const want = derivatives(cpu, f, shapes);
  for (const [index, got] of derivatives(wasm, f, shapes).entries()) {
    expect(got).toHaveLength(want[index]!.length);
    expect(distance(got, want[index]!)).toBeLessThanOrEqual(1e-5 * norm(want[index]!));
  }
}

const size = fc.integer({ min: 1, max: 6 });
const few = fc.integer({ min: 1, max: 4 });

test('convolutions: any image, window, stride, padding and numbers of channels', () => {
  const shape = fc.record({
    images: few,
    image: fc.tuple(size, size),
    channels: fc.tuple(size, size),
    window: fc.tuple(few, few),
    strides: fc.tuple(few, few),
    pad: fc.constantFrom('same' as const, 'valid' as const),
  });
  const property = fc.property(shape, ({ images, image, channels: [inner, outer], window, strides, pad }) => {
    fc.pre(pad === 'same' || image.every((length, axis) => length >= window[axis]!));
    const { tf } = cpu;
    expectSame(
      (x, filter) => tf.conv2d(x as never, filter as never, strides, pad),
      [
        [images, ...image, inner],
        [...window, inner, outer],
      ],
    );
  });
  fc.assert(property, { numRuns: 30, seed: 1 });
});

test('a wide convolution, whose windows take several vectors', () => {
  const { tf } = cpu;
  expectSame(
    (x, filter) => tf.conv2d(x as never, filter as never, 2, 'same'),
    [
      [2, 7, 6, 9],
      [3, 4, 9, 17],
    ],
  );
});

test('products with any factor transposed, also in batches', () => {
  const property = fc.property(
    fc.tuple(size, size, size, fc.boolean(), fc.boolean(), fc.array(few, { maxLength: 2 })),
    ([m, n, k, transposeA, transposeB, batch]) => {
      const { tf } = cpu;
      expectSame(
        (a, b) => tf.matMul(a, b, transposeA, transposeB),
        [
          [...batch, ...(transposeA ? [k, m] : [m, k])],
          [...batch, ...(transposeB ? [n, k] : [k, n])],
        ],
      );
    },
  );
  fc.assert(property, { numRuns: 30, seed: 1 });
});

test('rows taken by number, some several times and some never', () => {
  const { tf } = cpu;
  const numbers = [
    [4, 0, 4],
    [2, 4, 0],
  ] as const;
  expectSame(
    (table) =>
      tf.gather(
        table,
        tf.tensor2d(
          numbers.map((row) => [...row]),
          [2, 3],
          'int32',
        ),
      ),
    [[6, 5]],
  );
});

test('sums by segment leave out rows of segments that there are not', () => {
  const { tf } = wasm;
  selectBackend(wasm);
  const rows = tf.tensor2d([1, 2, 3, 4, 5, 6, 7, 8], [4, 2]);
  const sums = tf.unsortedSegmentSum(rows, tf.tensor1d([1, -1, 1, 3], 'int32'), 3);
  expect([...sums.dataSync()]).toEqual([0, 0, 6, 8, 0, 0]);
});

test('pooling: any window and stride', () => {
  const shape = fc.record({ image: fc.tuple(size, size), window: few, strides: few, channels: few });
  const property = fc.property(shape, ({ image, window, strides, channels }) => {
    fc.pre(image.every((length) => length >= window));
    const { tf } = cpu;
    for (const pool of [tf.maxPool, tf.avgPool])
      expectSame((x) => pool(x as never, window, strides, 'valid'), [[2, ...image, channels]]);
  });
  fc.assert(property, { numRuns: 40, seed: 1 });
});
