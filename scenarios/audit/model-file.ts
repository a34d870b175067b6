import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { loadConfig, loadText } from '../../shared/config.ts';
import type { Shard } from '../../shared/data/shard.ts';
import { ParleyError } from '../../shared/errors.ts';
import { recordSignals } from '../../shared/model/evaluate.ts';
import { foreignModel, LayersModelFile } from '../../shared/model/layers-model.ts';
import { numFeatures } from '../../shared/model/layout.ts';
import { signalsOf } from '../../shared/model/record-signals.ts';
import type { RecordSignals } from '../../shared/model/signals.ts';
import { ModelSpec, numClasses } from '../../shared/model/spec.ts';
import { inModelFile, storedModel } from '../../shared/model/stored-model.ts';
import { parsedJson } from '../../shared/protocol/json.ts';

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
  const given =
    specFile === undefined
      ? undefined
      : loadConfig(specFile, ModelSpec, (path) => readFileSync(path, 'utf8'), 'docs/scenarios.md');
  const { spec, parameters } = storedModel(bytesOf(file), { file, spec: given, specFile });
  return {
    ...{ file, numFeatures: numFeatures(spec), numClasses: numClasses(spec), numParams: parameters.length },
    signals: (records) => recordSignals(spec, parameters, records),
  };
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
    throw inModelFile(file, error);
  });
  return {
    ...{ file, numFeatures: model.numFeatures, numClasses: model.numClasses },
    // The loader has checked that all of them are float32.
    numParams: weights.length / 4,
    signals: (records) =>
      Promise.resolve(signalsOf(model.logits(records.features, records.labels.length), records.labels)),
  };
}

function bytesOf(file: string): Uint8Array {
  if (statSync(file, { throwIfNoEntry: false })?.isFile() !== true)
    throw new ParleyError('FILE_NOT_FOUND', `${file} cannot be read: expected a model file; check the path`);
  return new Uint8Array(readFileSync(file));
}
