import type { Tensor } from '@tensorflow/tfjs';
import type { Tf } from './backend.ts';
import type { BuiltModel } from './build.ts';
import type { ParameterMask } from './mask.ts';

/** Cut a flat vector of parameters, shape (numParams,), into tensors shaped like the model's weights; the caller owns them. */
export function parameterTensors(tf: Tf, { layout }: BuiltModel, parameters: Float32Array): Tensor[] {
  return layout.map(({ offset, size, shape }) =>
    tf.tensor(parameters.slice(offset, offset + size), [...shape]),
  );
}

/** Cut a mask like the parameters, into tensors of booleans: true where a parameter is kept; the caller owns them. */
export function flagTensors(tf: Tf, { layout }: BuiltModel, { flags }: ParameterMask): Tensor[] {
  return layout.map(({ offset, size, shape }) =>
    tf.tensor(flags.slice(offset, offset + size), [...shape], 'bool'),
  );
}

/** Set the model's weights to tensors of `parameterTensors`. The data are shared, not copied. */
export function assignParameters({ variables }: BuiltModel, values: readonly Tensor[]): void {
  for (const [index, value] of values.entries()) variables[index]?.assign(value);
}

/** Read the model's weights back into a flat vector, shape (numParams,). */
export function readParameters({ variables, layout }: BuiltModel, out: Float32Array): void {
  for (const [index, { offset }] of layout.entries()) {
    const values = variables[index]?.dataSync();
    if (values !== undefined) out.set(values, offset);
  }
}
