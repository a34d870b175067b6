import type { Shard } from '../../shared/data/shard.ts';
import { numUsers } from '../../shared/data/shard.ts';
import { recordSignals } from '../../shared/model/evaluate.ts';
import type { LocalPlan, LocalTrainer } from '../../shared/model/local-trainer.ts';
import type { ModelSpec } from '../../shared/model/spec.ts';
import type { Rng } from '../../shared/random/rng.ts';

/** One step over all of a user's records, so that the update is minus the gradient of her mean loss. */
const oneStep: LocalPlan = {
  epochs: 1,
  batchSize: 'all',
  learningRate: 1,
  maxRecordsPerUser: Number.MAX_SAFE_INTEGER,
  l2: 0,
  defence: { type: 'none' },
};

/** What it takes to train a single user: the attacker knows the records of those it attacks. */
export interface Workbench {
  readonly spec: ModelSpec;
  readonly trainer: LocalTrainer;
  readonly rng: Rng;
}

/** Minus the gradient of one user's mean loss at `parameters`, shape (numParams,), float64. */
export function descentDirection(
  bench: Workbench,
  parameters: Float32Array,
  shard: Shard,
  user: number,
): Promise<Float64Array> {
  return updateUnder(oneStep, bench, { parameters, shard, user });
}

/** The update that one user's records make of `parameters` under a plan, before clipping; shape (numParams,), float64. */
export async function updateUnder(
  plan: LocalPlan,
  { trainer, rng }: Workbench,
  { parameters, shard, user }: { parameters: Float32Array; shard: Shard; user: number },
): Promise<Float64Array> {
  const { sum } = await trainer.clippedSum({
    ...{ parameters, shard, rng, plan, round: 0 },
    users: Int32Array.of(user),
    clipNorm: 'unbounded',
  });
  return sum;
}

/** Cosine of the angle between two vectors of one length, in [-1, 1]; 0 where one of them is zero. */
export function cosine(a: Float64Array, b: Float64Array): number {
  let [product, normA, normB] = [0, 0, 0];
  for (const [index, value] of a.entries()) {
    const other = b[index] ?? 0;
    product += value * other;
    normA += value * value;
    normB += other * other;
  }
  return product === 0 ? 0 : product / Math.sqrt(normA * normB);
}

/** Mean loss of each user's records in nats under a model, shape (numUsers,). */
export async function userLosses(
  spec: ModelSpec,
  parameters: Float32Array,
  records: Shard,
): Promise<Float64Array> {
  const { loss } = await recordSignals(spec, parameters, records);
  return Float64Array.from({ length: numUsers(records) }, (_, user) => {
    const [start, end] = [records.userOffsets[user] ?? 0, records.userOffsets[user + 1] ?? 0];
    let sum = 0;
    for (let record = start; record < end; record++) sum += loss[record] ?? 0;
    return sum / (end - start);
  });
}

/** The sum of parameters and an update, in float32. */
export function moved(parameters: Float32Array, update: Float64Array, strength = 1): Float32Array {
  return parameters.map((value, index) => value + strength * (update[index] ?? 0));
}
