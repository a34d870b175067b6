import { ParleyError } from '../errors.ts';
import { parsedJson } from '../protocol/json.ts';
import { decodeTensors, type Tensor } from '../protocol/safetensors.ts';
import { layoutOf, type ParameterBlock } from './layout.ts';
import { ModelSpec } from './spec.ts';

/** A model as a file holds it. */
export interface StoredModel {
  readonly spec: ModelSpec;
  /** Shape (numParams,). */
  readonly parameters: Float32Array;
}

/** Where the bytes come from, for messages, and the specification where the file does not hold it. */
export interface ModelSource {
  readonly file: string;
  readonly spec?: ModelSpec | undefined;
  /** The file of that specification. */
  readonly specFile?: string | undefined;
}

/**
 * The model in the bytes of a safetensors file whose tensors have the names and shapes of its specification. Files of ours hold
 * their specification; others need one.
 *
 * @throws CONFIG_INVALID where there is none; MODEL_INVALID for a file that is damaged, or holds another model.
 */
export function storedModel(bytes: Uint8Array, { file, spec: given, specFile }: ModelSource): StoredModel {
  const { tensors, metadata } = inFile(file, () => decodeTensors(bytes));
  const spec = given ?? storedSpec(metadata['spec'], file);
  const layout = inFile(specFile ?? file, () => layoutOf(spec));
  refuseOthers(tensors, layout, file);
  const parameters = new Float32Array(layout.reduce((sum, { size }) => sum + size, 0));
  for (const block of layout) parameters.set(valuesOf(tensors, block, file), block.offset);
  return { spec, parameters };
}

/** Codecs and layouts do not know which file they are about: what one of them threw, with its name. */
export function inModelFile(file: string, error: unknown): unknown {
  if (!(error instanceof ParleyError)) return error;
  return new ParleyError('MODEL_INVALID', `${file}: ${error.message}`, { cause: error });
}

function valuesOf(
  tensors: ReadonlyMap<string, Tensor>,
  { name, shape }: ParameterBlock,
  file: string,
): Float32Array {
  const tensor = tensors.get(name);
  if (tensor?.dtype === 'F32' && String(tensor.shape) === String(shape)) return tensor.data;
  const found =
    tensor === undefined ? 'is missing' : `has ${tensor.dtype} values of shape (${tensor.shape.join(', ')})`;
  throw new ParleyError(
    'MODEL_INVALID',
    `${file}: tensor ${name} ${found}; the specification asks for F32 values of shape (${shape.join(', ')}). ` +
      `The file has ${[...tensors.keys()].join(', ') || 'no tensors'}: correct --spec, or rename or transpose the tensors`,
  );
}

/** A tensor that no layer takes belongs to another model than the one that is meant. */
function refuseOthers(
  tensors: ReadonlyMap<string, Tensor>,
  layout: readonly ParameterBlock[],
  file: string,
): void {
  const known = new Set(layout.map(({ name }) => name));
  const others = [...tensors.keys()].filter((name) => !known.has(name));
  if (others.length === 0) return;
  throw new ParleyError(
    'MODEL_INVALID',
    `${file}: the specification has no place for ${others.join(', ')}; expected only ${[...known].join(', ')}: correct --spec, ` +
      'or rename or leave out the tensors',
  );
}

function storedSpec(json: string | undefined, file: string): ModelSpec {
  const spec = ModelSpec.safeParse(parsedJson(json ?? ''));
  if (spec.success) return spec.data;
  throw new ParleyError(
    'CONFIG_INVALID',
    `${file} does not say what model it holds: give its specification with --spec (YAML, as in a federation's \`model\`)`,
  );
}

function inFile<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw inModelFile(file, error);
  }
}
