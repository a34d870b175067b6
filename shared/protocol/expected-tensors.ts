import { ParleyError } from '../errors.ts';
import type { TensorFile, TensorShape } from './safetensors.ts';

/**
 * Insist on a file's exact tensor names.
 *
 * @throws WRONG_SHAPE when one is missing or one too many.
 */
export function onlyThese({ tensors }: TensorFile, names: readonly string[]): void {
  const found = [...tensors.keys()];
  if (found.length !== names.length || !names.every((name) => tensors.has(name)))
    throw new ParleyError(
      'WRONG_SHAPE',
      `expected the tensors ${listed(names)}, the file holds ${listed(found)}`,
    );
}

/**
 * An int32 tensor of a file; no `shape` stands for any.
 *
 * @throws WRONG_SHAPE when it is missing or of another type or shape.
 */
export function i32(file: TensorFile, name: string, shape?: readonly number[]): Int32Array {
  const tensor = file.tensors.get(name);
  if (tensor?.dtype !== 'I32' || !fits(tensor, shape)) throw unlike(file, name, `I32${shapeText(shape)}`);
  return tensor.data;
}

/**
 * A float32 tensor of a file; no `shape` stands for any.
 *
 * @throws WRONG_SHAPE when it is missing or of another type or shape.
 */
export function f32(file: TensorFile, name: string, shape?: readonly number[]): Float32Array {
  const tensor = file.tensors.get(name);
  if (tensor?.dtype !== 'F32' || !fits(tensor, shape)) throw unlike(file, name, `F32${shapeText(shape)}`);
  return tensor.data;
}

function fits(tensor: TensorShape, shape?: readonly number[]): boolean {
  if (shape === undefined) return true;
  return tensor.shape.length === shape.length && shape.every((extent, axis) => extent === tensor.shape[axis]);
}

function unlike({ tensors }: TensorFile, name: string, wanted: string): ParleyError {
  const found = tensors.get(name);
  const what = found ? `${found.dtype}${shapeText(found.shape)}` : 'missing';
  return new ParleyError('WRONG_SHAPE', `tensor ${name} should be ${wanted}, it is ${what}`);
}

function shapeText(shape?: readonly number[]): string {
  return shape ? ` of shape (${shape.join(', ')})` : '';
}

/** The values, all finite. Throws NON_FINITE, naming `what` holds them. */
export function finite(values: Float32Array, what: string): Float32Array {
  let at = 0;
  while (at < values.length && Number.isFinite(values[at])) at++;
  if (at < values.length)
    throw new ParleyError(
      'NON_FINITE',
      `${what} holds ${values[at] ?? NaN} at ${at}: expected finite numbers`,
    );
  return values;
}

function listed(names: readonly string[]): string {
  return names.slice(0, 10).join(', ') + (names.length > 10 ? ', ...' : '');
}
