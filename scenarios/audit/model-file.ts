import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { loadConfig, loadText } from '../../shared/config.ts';
import type { Shard } from '../../shared/data/shard.ts';
import { ParleyError } from '../../shared/errors.ts';
import { recordSignals } from '../../shared/model/evaluate.ts';
import { foreignModel, LayersModelFile } from '../../shared/model/layers-model.ts';
import { layoutOf, numFeatures, type ParameterBlock } from '../../shared/model/layout.ts';
import { signalsOf } from '../../shared/model/record-signals.ts';
import type { RecordSignals } from '../../shared/model/signals.ts';
import { ModelSpec, numClasses } from '../../shared/model/spec.ts';
import { parsedJson } from '../../shared/protocol/json.ts';
import { decodeTensors, type Tensor } from '../../shared/protocol/safetensors.ts';

/** A model that is audited without its run: it answers with signals of records. */
export interface AuditedModel {
  /** Where it comes from, for messages. */
  readonly file: string;
  /** Values of one record. */
  readonly numFeatures: number;
  /** Classes that it tells apart, >= 2. */
  readonly numClasses: number;
  /** Trained numbers that it holds. */
  readonly numParams: number;
  readonly signals: (records: Shard) => Promise<RecordSignals>;
}

/**
 * Read a model from a file: a safetensors file whose tensors have the names and shapes of its specification (ours hold it;
 * for others `specFile` says it), or `model.json` of a tfjs LayersModel with its weights beside it.
 *
 * @throws FILE_NOT_FOUND; CONFIG_INVALID for a specification that is missing or does not fit; MODEL_INVALID for a file that
 * is damaged or holds another model.
 */
export async function readModel(file: string, specFile?: string): Promise<AuditedModel> {
  return file.endsWith('.json') ? readLayersModel(file) : readSafetensors(file, specFile);
}

function readSafetensors(file: string, specFile: string | undefined): AuditedModel {
  const bytes = bytesOf(file);
  const { tensors, metadata } = inFile(file, () => decodeTensors(bytes));
  const spec =
    specFile === undefined
      ? storedSpec(metadata['spec'], file)
      : loadConfig(specFile, ModelSpec, (path) => readFileSync(path, 'utf8'));
  const layout = inFile(specFile ?? file, () => layoutOf(spec));
  refuseOthers(tensors, layout, file);
  const parameters = new Float32Array(layout.reduce((sum, { size }) => sum + size, 0));
  for (const block of layout) parameters.set(valuesOf(tensors, block, file), block.offset);
  return {
    ...{ file, numFeatures: numFeatures(spec), numClasses: numClasses(spec), numParams: parameters.length },
    signals: (records) => recordSignals(spec, parameters, records),
  };
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

/** A tensor that no layer takes belongs to another model than the one that would be audited. */
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

async function readLayersModel(file: string): Promise<AuditedModel> {
  const text = loadText(file, (path) => readFileSync(path, 'utf8'));
  const parsed = LayersModelFile.safeParse(parsedJson(text));
  if (!parsed.success)
    throw new ParleyError(
      'MODEL_INVALID',
      `${file} is no model.json of a tfjs LayersModel with float32 weights: ${z.prettifyError(parsed.error)}. Convert other ` +
        'models to one, or to safetensors',
    );
  const paths = parsed.data.weightsManifest.flatMap((group) => group.paths);
  const weights = Buffer.concat(paths.map((path) => bytesOf(join(dirname(file), path))));
  const model = await foreignModel(parsed.data, new Uint8Array(weights).buffer).catch((error: unknown) => {
    throw located(file, error);
  });
  return {
    ...{ file, numFeatures: model.numFeatures, numClasses: model.numClasses },
    // The loader has checked that all of them are float32.
    numParams: weights.length / 4,
    signals: (records) =>
      Promise.resolve(signalsOf(model.logits(records.features, records.labels.length), records.labels)),
  };
}

function storedSpec(json: string | undefined, file: string): ModelSpec {
  const spec = ModelSpec.safeParse(parsedJson(json ?? ''));
  if (spec.success) return spec.data;
  throw new ParleyError(
    'CONFIG_INVALID',
    `${file} does not say what model it holds: give its specification with --spec (YAML, as in a federation's \`model\`)`,
  );
}

function bytesOf(file: string): Uint8Array {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true)
    throw new ParleyError('FILE_NOT_FOUND', `${file} cannot be read: expected a model file; check the path`);
  return new Uint8Array(readFileSync(file));
}

function inFile<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw located(file, error);
  }
}

/** Codecs and layouts do not know which file they are about. */
function located(file: string, error: unknown): unknown {
  if (!(error instanceof ParleyError)) return error;
  return new ParleyError('MODEL_INVALID', `${file}: ${error.message}`, { cause: error });
}
