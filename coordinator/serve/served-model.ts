import { existsSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { loadConfig, loadFile } from '../../shared/config.ts';
import { sha256 } from '../../shared/crypto/encoding.ts';
import { type DataSchema, numClassesOf, numFeaturesOf } from '../../shared/data/schema.ts';
import { ParleyError } from '../../shared/errors.ts';
import { numFeatures } from '../../shared/model/layout.ts';
import { ModelSpec, numClasses } from '../../shared/model/spec.ts';
import { type StoredModel, storedModel } from '../../shared/model/stored-model.ts';
import type { Sha256 } from '../../shared/units.ts';
import { inspectStore } from '../store/store.ts';

/** A model that is served. */
export interface ServedModel extends StoredModel {
  readonly modelSha256: Sha256;
}

/**
 * The model in a safetensors file, or the newest one of a run's directory.
 *
 * @throws FILE_NOT_FOUND; RUN_NOT_FOUND for a directory without a finished round; CONFIG_INVALID, MODEL_INVALID for a file that is
 * no such model, or one that does not fit the schema; NON_FINITE for a model that has diverged.
 */
export async function readServedModel(
  target: string,
  { schema, specFile }: { readonly schema: DataSchema; readonly specFile: string | undefined },
): Promise<ServedModel> {
  const file = statSync(target, { throwIfNoEntry: false })?.isDirectory()
    ? await newestModel(target)
    : target;
  const bytes = loadFile(file, (path) => new Uint8Array(readFileSync(path)));
  const spec =
    specFile === undefined
      ? undefined
      : loadConfig(specFile, ModelSpec, (path) => readFileSync(path, 'utf8'), 'docs/scenarios.md');
  const model = storedModel(bytes, { file, spec, specFile });
  assertFits(file, model, schema);
  return { ...model, modelSha256: sha256(bytes) };
}

async function newestModel(directory: string): Promise<string> {
  const reports = existsSync(join(directory, 'coordinator.sqlite')) ? await storedReports(directory) : [];
  const newest = reports.at(-1);
  if (newest) return join(directory, 'models', `${newest.modelSha256}.safetensors`);
  throw new ParleyError(
    'RUN_NOT_FOUND',
    `${directory} holds no finished round of a run: give the directory that --out named, or a model file`,
  );
}

async function storedReports(directory: string) {
  const store = inspectStore(directory);
  try {
    return await store.reports();
  } finally {
    await store.close();
  }
}

function assertFits(file: string, { spec, parameters }: StoredModel, schema: DataSchema): void {
  const [features, classes] = [numFeaturesOf(schema), numClassesOf(schema)];
  if (numFeatures(spec) !== features || numClasses(spec) !== classes)
    throw new ParleyError(
      'MODEL_INVALID',
      `${file} takes ${numFeatures(spec)} features and tells ${numClasses(spec)} classes apart; the schema makes ${features} features ` +
        `and ${classes} classes: give the schema that the model was trained with`,
    );
  if (!parameters.every(Number.isFinite))
    throw new ParleyError(
      'NON_FINITE',
      `${file} holds parameters that are not finite numbers: the model has diverged, or is damaged; take an earlier one`,
    );
}
