import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { loadConfig, loadText } from '../../shared/config.ts';
import type { Shard } from '../../shared/data/shard.ts';
import { ParleyError } from '../../shared/errors.ts';
import { recordSignals } from '../../shared/model/evaluate.ts';
import { foreignModel, LayersModelFile } from '../../shared/model/layers-model.ts';
import { layoutOf } from '../../shared/model/layout.ts';
import { signalsOf } from '../../shared/model/record-signals.ts';
import type { RecordSignals } from '../../shared/model/signals.ts';
import { ModelSpec } from '../../shared/model/spec.ts';
import { parsedJson } from '../../shared/protocol/json.ts';
import { decodeTensors } from '../../shared/protocol/safetensors.ts';

/** A model that is audited without its run: it answers with signals of records. */
export interface AuditedModel {
  readonly description: string;
  readonly signals: (records: Shard) => Promise<RecordSignals>;
}

/**
 * Read a model from a file: a safetensors file whose tensors have the names of its specification (ours hold it; for others
 * `specFile` says it), or `model.json` of a tfjs LayersModel with its weights beside it.
 *
 * @throws FILE_NOT_FOUND, CONFIG_INVALID, WRONG_SHAPE, NON_FINITE, MODEL_INVALID.
 */
export async function readModel(file: string, specFile?: string): Promise<AuditedModel> {
  if (file.endsWith('.json')) return readLayersModel(file);
  const { tensors, metadata } = decodeTensors(bytesOf(file));
  const spec =
    specFile === undefined
      ? storedSpec(metadata['spec'], file)
      : loadConfig(specFile, ModelSpec, (path) => readFileSync(path, 'utf8'));
  const layout = layoutOf(spec);
  const parameters = new Float32Array(layout.reduce((sum, { size }) => sum + size, 0));
  for (const { name, offset, size } of layout) {
    const tensor = tensors.get(name);
    if (tensor?.dtype !== 'F32' || tensor.data.length !== size)
      throw new ParleyError(
        'WRONG_SHAPE',
        `${file}: tensor ${name} should hold ${size} F32 values; the file has ${[...tensors.keys()].join(', ')}`,
      );
    parameters.set(tensor.data, offset);
  }
  return {
    description: `${file}: ${spec.layers.length} hidden layer(s), ${parameters.length} parameters`,
    signals: (records) => recordSignals(spec, parameters, records),
  };
}

async function readLayersModel(file: string): Promise<AuditedModel> {
  const text = loadText(file, (path) => readFileSync(path, 'utf8'));
  const parsed = LayersModelFile.safeParse(parsedJson(text));
  if (!parsed.success)
    throw new ParleyError('MODEL_INVALID', `${file} is no tfjs LayersModel: ${parsed.error.message}`);
  const paths = parsed.data.weightsManifest.flatMap((group) => group.paths);
  const weights = Buffer.concat(paths.map((path) => bytesOf(join(dirname(file), path))));
  const model = await foreignModel(parsed.data, new Uint8Array(weights).buffer);
  return {
    description: `${file}: tfjs LayersModel`,
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
