import { loadShard, readDataSchema } from '../../client/index.ts';
import { type Evidence, populationOf } from '../../coordinator/index.ts';
import { concatenateShards } from '../../shared/data/partition.ts';
import { numUsers, type Shard } from '../../shared/data/shard.ts';
import { signalsOf } from '../../shared/model/record-signals.ts';
import { type AuditedModel, readModel } from './model-file.ts';

/** Tables of users whose membership in a model's training is known, all by one schema. */
export interface KnownUsers {
  readonly schema: string;
  /** Users whose records trained the model. */
  readonly members: string;
  /** Users whose records did not, drawn from the same population. */
  readonly heldOut: string;
  /** More of the latter, to calibrate attacks. */
  readonly reference?: string;
}

/** What else an auditor has of the model. */
export interface ModelsAtHand {
  readonly model: string;
  readonly spec?: string;
  /** The model before training. Without it a model that knows nothing (all classes alike) stands in. */
  readonly initial?: string;
}

/**
 * Evidence on a finished model from elsewhere: what the attacks of a round work on, without a trajectory. It is only as good
 * as the tables: members and held-out users that differ in anything but membership make every attack look stronger.
 *
 * @throws what reading models and tables throws.
 */
export async function modelEvidence(models: ModelsAtHand, users: KnownUsers): Promise<Evidence> {
  const schema = await readDataSchema(users.schema);
  const load = (file: string): Promise<Shard> => loadShard({ file, schema });
  const [members, heldOut] = [await load(users.members), await load(users.heldOut)];
  const reference = users.reference === undefined ? [] : [await load(users.reference)];
  const shard = concatenateShards([members, heldOut, ...reference]);
  const roles = Int32Array.from([members, heldOut, ...reference].flatMap(rolesOf));
  const population = populationOf(
    {
      declaredUsers: numUsers(members),
      users: { roles },
      recordCounts: recordCounts(shard),
      freshCounts: new Int32Array(roles.length),
      labels: shard.labels,
      subpopulations: shard.subpopulations,
      canaries: new Int32Array(0),
      privacy: 'private',
    },
    shard.numClasses,
  );
  const model = await readModel(models.model, models.spec);
  const current = await model.signals(shard);
  const initial = await initialSignals(models, shard);
  return { population, initial, current, references: [], lossHistory: [], marginHistory: [] };
}

function rolesOf(shard: Shard, role: number): number[] {
  return Array.from({ length: numUsers(shard) }, () => role);
}

function recordCounts({ userOffsets }: Shard): Int32Array {
  return userOffsets.subarray(1).map((end, user) => end - (userOffsets[user] ?? 0));
}

async function initialSignals(
  { initial, spec }: ModelsAtHand,
  shard: Shard,
): ReturnType<AuditedModel['signals']> {
  if (initial !== undefined) return (await readModel(initial, spec)).signals(shard);
  const { numClasses, labels } = shard;
  return signalsOf({ values: new Float64Array(labels.length * numClasses), numClasses }, labels);
}
