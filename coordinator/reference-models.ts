import { ParleyError } from '../shared/errors.ts';
import { numFeatures, numParams } from '../shared/model/layout.ts';
import type { RecordSignals } from '../shared/model/signals.ts';
import { numClasses } from '../shared/model/spec.ts';
import type { Manifest } from '../shared/protocol/manifest.ts';
import { decodedModel, decodedSpec } from '../shared/protocol/payloads.ts';
import { firstReferenceVersion } from '../shared/protocol/plan.ts';
import { RoundIndex, type SiteId } from '../shared/units.ts';
import { collectSignals } from './collect.ts';
import type { FederationConfig } from './config.ts';
import type { ReferenceModel, RunContext } from './state.ts';
import type { Store } from './store/store.ts';
import { signalsOf } from './stored-signals.ts';

/**
 * The reference models of a run: of a run that has begun those in its directory, whatever the files hold by now, else the
 * given files, which are stored with the run's own models.
 *
 * @throws CONFIG_INVALID when a file is no model of this format, or its model has other features or classes than the run's;
 * RUN_NOT_FOUND when a stored one is gone.
 */
export function referenceModels(
  files: readonly Uint8Array[],
  begun: Manifest | undefined,
  { config, store }: { config: FederationConfig; store: Store },
): readonly ReferenceModel[] {
  if (begun === undefined) return files.map((bytes, index) => saved(bytes, index, { config, store }));
  return (begun.referenceModelSha256s ?? []).map((sha256) => {
    const bytes = store.model(sha256);
    if (bytes) return { spec: decodedSpec(bytes), sha256, sizeBytes: bytes.length };
    throw new ParleyError(
      'RUN_NOT_FOUND',
      `models/${sha256}.safetensors, a reference model, is missing from the run directory: restore it to go on`,
    );
  });
}

function saved(
  bytes: Uint8Array,
  index: number,
  { config, store }: { config: FederationConfig; store: Store },
): ReferenceModel {
  const path = config.audit.referenceModels[index] ?? String(index);
  try {
    const spec = decodedSpec(bytes);
    decodedModel(bytes, numParams(spec));
    if (numFeatures(spec) === numFeatures(config.model) && numClasses(spec) === numClasses(config.model))
      return { spec, sha256: store.saveModel(bytes), sizeBytes: bytes.length };
  } catch (error) {
    if (!(error instanceof ParleyError)) throw error;
    throw new ParleyError('CONFIG_INVALID', `audit.referenceModels: ${path}: ${error.message}`);
  }
  throw new ParleyError(
    'CONFIG_INVALID',
    `audit.referenceModels: the model in ${path} takes other features or tells other classes apart than federation.model`,
  );
}

/**
 * The audit users' signals under each reference model: stored ones, and those that are still missing from a site that is
 * present. Asked once a run; a site that answers none is left without, and the attacks say so.
 */
export async function referenceSignals(run: RunContext): Promise<ReadonlyMap<SiteId, RecordSignals>[]> {
  const collected: ReadonlyMap<SiteId, RecordSignals>[] = [];
  for (const [index, { spec, sha256, sizeBytes }] of run.referenceModels.entries()) {
    const version = RoundIndex.parse(firstReferenceVersion + index);
    const stored = await signalsOf(version, spec, run);
    const isComplete = [...run.sites.keys()].every((site) => stored.has(site));
    const scored = isComplete
      ? []
      : await collectSignals({ run: run.run, version, model: { spec, sha256, sizeBytes } }, run);
    // Stored ones stand: a site that scored before scores the same.
    collected.push(new Map([...scored, ...stored].sort(([a], [b]) => (a < b ? -1 : 1))));
  }
  return collected;
}
