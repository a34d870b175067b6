import { sha256 } from '../shared/crypto/encoding.ts';
import { allUsers, type Shard } from '../shared/data/shard.ts';
import { ParleyError } from '../shared/errors.ts';
import { numFeatures } from '../shared/model/layout.ts';
import { stretches } from '../shared/model/silo/descend.ts';
import { studentOf } from '../shared/model/silo/distillation.ts';
import { gatherRecords } from '../shared/model/silo/records.ts';
import { selectEngine } from '../shared/model/silo/select-engine.ts';
import { numClasses } from '../shared/model/spec.ts';
import type { Manifest } from '../shared/protocol/manifest.ts';
import { seededRng } from '../shared/random/rng.ts';
import { Seed } from '../shared/units.ts';
import type { FederationConfig } from './config.ts';
import type { Distiller } from './state.ts';

/**
 * The distiller of a run; undefined where the run does not distil.
 *
 * @throws CONFIG_INVALID when there are no public records, or none that the model can take; WRONG_SHAPE when they have other features; what loading them throws.
 */
export async function distillerOf(
  { distillation, model: spec, local }: FederationConfig,
  publicShard: (() => Promise<Shard>) | undefined,
): Promise<Distiller | undefined> {
  if (!distillation) return undefined;
  const { features, numRecords } = publicFeatures({ model: spec, local }, await publicShard?.());
  const { engine } = await selectEngine(spec, { provider: 'auto', backend: 'auto' });
  const { batchSize, learningRate } = distillation;
  return {
    records: { numRecords, sha256: sha256(new Uint8Array(features.buffer)) },
    student: (teacher, start, mask) => {
      const plan = { batchSize, learningRate, l2: 0 };
      const round = {
        descent: { engine, plan, mask: mask?.mask, pause: stretches() },
        received: start,
        numClasses: numClasses(spec),
        numFeatures: numFeatures(spec),
        // The order of public records is no secret. From the teacher's hash, so that a repeated round makes the same student.
        rng: seededRng(Seed.parse(1 + Number.parseInt(teacher.sha256.slice(0, 12), 16))),
      };
      return studentOf(round, teacher.parameters, { ...distillation, features });
    },
  };
}

function publicFeatures(
  { model: spec, local: { maxRecordsPerUser } }: Pick<FederationConfig, 'model' | 'local'>,
  shard: Shard | undefined,
): { readonly features: Float32Array; readonly numRecords: number } {
  if (!shard)
    throw new ParleyError(
      'CONFIG_INVALID',
      "federation.distillation teaches on public records, and there are none: name a publicTable in the coordinator's file, or " +
        'a data.publicPart in the scenario',
    );
  if (shard.numFeatures !== numFeatures(spec))
    throw new ParleyError(
      'WRONG_SHAPE',
      `publicTable (data.publicPart of a scenario) makes ${shard.numFeatures} features of a record, but federation.model takes ${numFeatures(spec)}: use the data schema of the federation`,
    );
  const { features, labels } = gatherRecords(shard, spec, { users: allUsers(shard), maxRecordsPerUser });
  if (labels.length > 0) return { features, numRecords: labels.length };
  throw new ParleyError(
    'CONFIG_INVALID',
    'the public table has no record that the model can take: correct it',
  );
}

/**
 * A run goes on with the public records that it began with.
 *
 * @throws RUN_MISMATCH when they are others.
 */
export function assertSameRecords(begun: Manifest, distiller: Distiller | undefined): void {
  if (begun.publicRecords?.sha256 === distiller?.records.sha256) return;
  throw new ParleyError(
    'RUN_MISMATCH',
    `run ${begun.run} began with other public records (${begun.publicRecords?.numRecords ?? 0} of them, sha256 ` +
      `${begun.publicRecords?.sha256 ?? 'none'}): restore the public table to go on with it`,
  );
}
