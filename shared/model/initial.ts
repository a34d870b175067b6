import { assertNever } from '../errors.ts';
import type { Rng } from '../random/rng.ts';
import { layoutOf, type ParameterBlock } from './layout.ts';
import type { ModelSpec } from './spec.ts';

/**
 * Parameters of an untrained model, shape (numParams,): kernels Glorot uniform on +-sqrt(6 / (fan in + fan out))
 * (Glorot and Bengio 2010, as Keras counts fans), embeddings uniform on +-0.05, biases and beta 0, gamma 1.
 * Each block draws from its own fork of `rng`, so a changed layer leaves the others' values alone.
 *
 * @throws MODEL_INVALID as `layoutOf`.
 */
export function initialParameters(spec: ModelSpec, rng: Rng): Float32Array {
  const layout = layoutOf(spec);
  const parameters = new Float32Array(layout.reduce((sum, block) => sum + block.size, 0));
  for (const block of layout) {
    fill(parameters.subarray(block.offset, block.offset + block.size), block, rng.fork(block.name));
  }
  return parameters;
}

function fill(values: Float32Array, block: ParameterBlock, rng: Rng): void {
  switch (block.role) {
    case 'kernel':
    case 'recurrentKernel':
      fillUniform(values, glorotLimit(block.shape), rng);
      return;
    case 'embeddings':
      fillUniform(values, 0.05, rng);
      return;
    case 'gamma':
      values.fill(1);
      return;
    case 'bias':
    case 'beta':
      values.fill(0);
      return;
    default:
      assertNever(block.role);
  }
}

function fillUniform(values: Float32Array, limit: number, rng: Rng): void {
  for (let i = 0; i < values.length; i++) values[i] = limit * (2 * rng.uniform() - 1);
}

function glorotLimit(shape: readonly number[]): number {
  const window = shape.slice(0, -2).reduce((size, axis) => size * axis, 1);
  const [fanIn = 1, fanOut = 1] = shape.slice(-2);
  return Math.sqrt(6 / (window * (fanIn + fanOut)));
}
