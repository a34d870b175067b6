import { loadShard, readDataSchema } from '../../client/index.ts';
import { type Evidence, populationOf } from '../../coordinator/index.ts';
import { concatenateShards } from '../../shared/data/partition.ts';
import { numUsers, type Shard } from '../../shared/data/shard.ts';
import { ParleyError } from '../../shared/errors.ts';
import { signalsOf } from '../../shared/model/record-signals.ts';
import type { RecordSignals } from '../../shared/model/signals.ts';
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

/** Tables in the order of audit roles. */
const options = ['members', 'heldOut', 'reference'] as const;

/**
 * Evidence on a finished model from elsewhere: what the attacks of a round work on, without a trajectory. It is only as good
 * as the tables: members and held-out users that differ in anything but membership make every attack look stronger.
 *
 * @throws DATA_VALUE_INVALID for a user in two tables; MODEL_INVALID for a model of other features or classes than the schema;
 * NON_FINITE; what reading models and tables throws.
 */
export async function modelEvidence(models: ModelsAtHand, users: KnownUsers): Promise<Evidence> {
  const schema = await readDataSchema(users.schema);
  const load = (file: string): Promise<Shard> => loadShard({ file, schema });
  const [members, heldOut] = [await load(users.members), await load(users.heldOut)];
  const reference = users.reference === undefined ? [] : [await load(users.reference)];
  if (schema.user !== 'row') refuseUsersInTwo(users, [members, heldOut, ...reference]);
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
  const current = await signalsUnder(await readModel(models.model, models.spec), shard);
  const initial = await initialSignals(models, shard);
  return { population, initial, current, references: [], lossHistory: [], marginHistory: [] };
}

function rolesOf(shard: Shard, role: number): number[] {
  return Array.from({ length: numUsers(shard) }, () => role);
}

function recordCounts({ userOffsets }: Shard): Int32Array {
  return userOffsets.subarray(1).map((end, user) => end - (userOffsets[user] ?? 0));
}

async function initialSignals({ initial, spec }: ModelsAtHand, shard: Shard): Promise<RecordSignals> {
  if (initial !== undefined) return signalsUnder(await readModel(initial, spec), shard);
  const { numClasses, labels } = shard;
  return signalsOf({ values: new Float64Array(labels.length * numClasses), numClasses }, labels);
}

async function signalsUnder(model: AuditedModel, shard: Shard): Promise<RecordSignals> {
  const { file, numFeatures, numClasses } = model;
  if (numFeatures !== shard.numFeatures || numClasses !== shard.numClasses)
    throw new ParleyError(
      'MODEL_INVALID',
      `${file} takes ${numFeatures} features and tells ${numClasses} classes apart; the schema makes ${shard.numFeatures} features ` +
        `and ${shard.numClasses} classes: give the schema that the model was trained with`,
    );
  const signals = await model.signals(shard);
  const record = signals.margin.findIndex((margin) => !Number.isFinite(margin));
  if (record >= 0)
    throw new ParleyError(
      'NON_FINITE',
      `${file} answers record ${record} of the tables with ${signals.margin[record] ?? Number.NaN}: the model has diverged, or is ` +
        'damaged; take another copy of it, or an earlier one',
    );
  return signals;
}

/** Somebody who trained and did not would be found and missed at once. */
function refuseUsersInTwo(files: KnownUsers, shards: readonly Shard[]): void {
  const seen = new Map<string, string>();
  for (const [index, { userIds }] of shards.entries()) {
    const file = files[options[index] ?? 'members'] ?? '';
    for (const user of userIds) {
      const other = seen.get(user);
      if (other !== undefined)
        throw new ParleyError(
          'DATA_VALUE_INVALID',
          `user ${user} stands in ${other} and in ${file}; expected all records of a user in one of the tables: take her out of one`,
        );
      seen.set(user, file);
    }
  }
}
