import { ParleyError } from '../errors.ts';
import { maskOf, type ParameterMask } from '../model/mask.ts';
import { i32, onlyThese } from './expected-tensors.ts';
import { decodeTensors, encodedBytes, encodeTensors } from './safetensors.ts';

/** Bytes of a mask: one bit for each parameter, in the order of the flat parameters, 32 to a word and the lowest first. */
export function encodedMask({ flags }: ParameterMask): Uint8Array {
  const words = new Int32Array(numWords(flags.length));
  for (const [i, flag] of flags.entries()) words[i >> 5] = (words[i >> 5] ?? 0) | (flag << (i & 31));
  return encodeTensors([{ name: 'mask', dtype: 'I32', shape: [words.length], data: words }]);
}

/** Exact size of an encoded mask. */
export function maskBytes(numParams: number): number {
  return encodedBytes([{ name: 'mask', dtype: 'I32', shape: [numWords(numParams)] }]);
}

/**
 * A received mask.
 *
 * @throws WRONG_SHAPE when the bytes are anything but one mask for so many parameters, when a bit beyond them is set, or when it
 * does not keep as many as was said, where that was.
 */
export function decodedMask(bytes: Uint8Array, numParams: number, kept?: number): ParameterMask {
  const file = decodeTensors(bytes);
  onlyThese(file, ['mask']);
  const words = i32(file, 'mask', [numWords(numParams)]);
  const bit = (i: number): number => ((words[i >> 5] ?? 0) >>> (i & 31)) & 1;
  for (let i = numParams; i < 32 * words.length; i++)
    if (bit(i) === 1)
      throw new ParleyError(
        'WRONG_SHAPE',
        `the mask has a bit for parameter ${i}, the model has ${numParams}`,
      );
  const mask = maskOf(Uint8Array.from({ length: numParams }, (_, i) => bit(i)));
  if (kept === undefined || mask.kept === kept) return mask;
  throw new ParleyError('WRONG_SHAPE', `the mask keeps ${mask.kept} parameters, announced were ${kept}`);
}

function numWords(numParams: number): number {
  return Math.ceil(numParams / 32);
}
