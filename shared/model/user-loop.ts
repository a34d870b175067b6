import { setImmediate } from 'node:timers/promises';
import type { Shard } from '../data/shard.ts';
import { numUsers } from '../data/shard.ts';
import { ParleyError } from '../errors.ts';
import { clipUpdate } from '../privacy/clip.ts';
import type { RawUpdate, SummedUpdate } from '../privacy/update.ts';
import type { Rng } from '../random/rng.ts';
import { ClipNorm } from '../units.ts';
import { numFeatures, numParams } from './layout.ts';
import type { LocalResult, LocalTask } from './local-trainer.ts';
import { type ModelSpec, numClasses } from './spec.ts';

/** The records of one user that take part: rows `start .. start + numRecords - 1` of the shard. */
export interface UserRecords {
  readonly user: number;
  readonly start: number;
  readonly numRecords: number;
}

/** Trains `local`, which holds the received parameters at first, on one user's records, in place. */
export type TrainUser = (records: UserRecords, local: Float32Array) => void;

/** How long one stretch of work may keep the event loop waiting. */
const stretchMs = 50;

/**
 * The naive loop that every provider is measured against: one user after another in ascending order, each from the
 * received parameters; update = local - received in float32, clipped jointly over all parameters, weighted and summed in
 * float64.
 *
 * @throws WRONG_SHAPE when parameters, features or users do not fit, MODEL_INVALID when the shard has more classes
 * than the model.
 */
export async function sumOverUsers(
  task: LocalTask,
  spec: ModelSpec,
  trainUser: TrainUser,
): Promise<LocalResult> {
  checkTask(task, spec);
  const clipNorm = task.clipNorm === 'unbounded' ? task.clipNorm : ClipNorm.parse(task.clipNorm);
  const local = new Float32Array(task.parameters.length);
  const sum = new Float64Array(task.parameters.length);
  const norms = new Float64Array(task.users.length);
  let nonFinite = 0;
  let deadline = performance.now() + stretchMs;
  for (const [index, user] of task.users.entries()) {
    local.set(task.parameters);
    trainUser(recordsOf(task, user), local);
    const { update, norm, finite } = clipUpdate(rawUpdate(local, task.parameters), clipNorm);
    norms[index] = norm;
    if (finite) addTo(sum, update, task.weights?.[user] ?? 1);
    else nonFinite += 1;
    if (performance.now() > deadline) {
      await setImmediate();
      deadline = performance.now() + stretchMs;
    }
  }
  return { sum: summedUpdate(sum), norms, nonFinite };
}

/**
 * Refuse a task that does not fit the model; providers that prepare something from the parameters call it first.
 *
 * @throws as `sumOverUsers`.
 */
export function checkTask(task: LocalTask, spec: ModelSpec): void {
  const { shard, parameters, users } = task;
  requireEqual('received parameters', parameters.length, numParams(spec));
  requireEqual('flags of the mask', task.mask?.flags.length ?? parameters.length, numParams(spec));
  requireEqual('features of a record', shard.numFeatures, numFeatures(spec));
  if (shard.numClasses > numClasses(spec)) {
    throw new ParleyError(
      'MODEL_INVALID',
      `model: tells ${numClasses(spec)} classes apart, but the data have ${shard.numClasses}`,
    );
  }
  checkWeights(task);
  let previous = -1;
  for (const user of users) {
    if (user <= previous || user >= numUsers(shard)) {
      throw new ParleyError(
        'WRONG_SHAPE',
        `local task: user ${user} after ${previous}; expected ascending users below ${numUsers(shard)}`,
      );
    }
    previous = user;
  }
}

/** A weight above 1, or no number, would lift a user's influence above the clip norm. */
function checkWeights({ weights, shard }: LocalTask): void {
  if (weights === undefined) return;
  requireEqual('users with a weight', weights.length, numUsers(shard), 'the shard');
  const wrong = weights.findIndex((weight) => !(weight > 0 && weight <= 1));
  if (wrong >= 0)
    throw new ParleyError(
      'WRONG_SHAPE',
      `local task: user ${wrong} has weight ${weights[wrong] ?? NaN}; expected a number in (0, 1]`,
    );
}

function requireEqual(what: string, got: number, expected: number, where = 'the model'): void {
  if (got === expected) return;
  throw new ParleyError('WRONG_SHAPE', `local task: ${got} ${what}, but ${where} has ${expected}`);
}

/**
 * A user's own stream, by id: an index would shift when another user leaves the data, and then neighbouring data sets would
 * differ in everybody's shuffles.
 */
export function userRng({ rng, shard }: LocalTask, user: number): Rng {
  return rng.fork(`user/${shard.userIds[user] ?? ''}`);
}

function recordsOf({ shard, plan }: LocalTask, user: number): UserRecords {
  const [start, end] = rowRange(shard, user);
  return { user, start, numRecords: Math.min(end - start, plan.maxRecordsPerUser) };
}

function rowRange(shard: Shard, user: number): readonly [number, number] {
  return [shard.userOffsets[user] ?? 0, shard.userOffsets[user + 1] ?? 0];
}

/** Overwrites `local` by local - received, which makes it the user's raw update. */
function rawUpdate(local: Float32Array, received: Float32Array): RawUpdate {
  for (let i = 0; i < local.length; i++) local[i] = (local[i] ?? 0) - (received[i] ?? 0);
  return local as RawUpdate;
}

/** A weight of 1 leaves every bit as it is. */
function addTo(sum: Float64Array, update: Float32Array, weight: number): void {
  for (let i = 0; i < sum.length; i++) sum[i] = (sum[i] ?? 0) + weight * (update[i] ?? 0);
}

function summedUpdate(sum: Float64Array): SummedUpdate {
  return sum as SummedUpdate;
}
