import type { Shard } from '../shared/data/shard.ts';
import type { Defence } from '../shared/model/defence.ts';
import { initialParameters } from '../shared/model/initial.ts';
import { LocalPlan, type LocalTask } from '../shared/model/local-trainer.ts';
import { ModelSpec } from '../shared/model/spec.ts';
import { type Rng, seededRng } from '../shared/random/rng.ts';
import { Seed } from '../shared/units.ts';

/** A model as a configuration has it, before its schema. */
export interface ModelInput {
  readonly inputShape: readonly number[];
  readonly layers?: readonly {
    readonly type: 'dense';
    readonly units: number;
    readonly activation: 'relu';
  }[];
  readonly output: { readonly type: 'softmax'; readonly classes: number } | { readonly type: 'sigmoid' };
}

/** What each user of a benchmark does: train a model on her records for some local steps. */
export interface Workload {
  readonly name: string;
  readonly model: ModelInput;
  readonly records: number;
  readonly steps: number;
  readonly defence?: Defence;
}

const mlp: ModelInput = {
  inputShape: [446],
  layers: [{ type: 'dense', units: 128, activation: 'relu' }],
  output: { type: 'softmax', classes: 30 },
};
const logistic: ModelInput = { inputShape: [100], output: { type: 'softmax', classes: 10 } };

/** The workloads that the outside yardstick knows too, by the same keys. */
export const workloads = {
  mlp10: { name: '446-128-30, 10 records', model: mlp, records: 10, steps: 1 },
  mlp2: { name: '446-128-30, 2 records', model: mlp, records: 2, steps: 1 },
  logistic10: { name: 'logistic 100-10, 10 records', model: logistic, records: 10, steps: 1 },
} as const satisfies Record<string, Workload>;

/** One round's local work of so many users, each with made-up records; clip norm 0.5. */
export function localTask({ model, records, steps, defence }: Workload, users: number): LocalTask {
  const rng = seededRng(Seed.parse(11));
  const spec = ModelSpec.parse(model);
  return {
    parameters: initialParameters(spec, rng),
    shard: madeUpShard(spec, { users, records }, rng),
    users: Int32Array.from({ length: users }, (_, user) => user),
    plan: LocalPlan.parse({ epochs: steps, batchSize: 'all', learningRate: 0.1, defence }),
    round: 0,
    clipNorm: 0.5,
    rng,
  };
}

/** Users with so many records each: features uniform in [-1, 1), labels by chance. */
export function madeUpShard(
  spec: ModelSpec,
  { users, records }: { readonly users: number; readonly records: number },
  rng: Rng,
): Shard {
  const numClasses = spec.output.type === 'softmax' ? spec.output.classes : 2;
  const numFeatures = spec.inputShape[0] ?? 1;
  const numRecords = users * records;
  return {
    numFeatures,
    numClasses,
    features: uniform(numRecords * numFeatures, rng),
    labels: Int32Array.from({ length: numRecords }, () => rng.uint32() % numClasses),
    userOffsets: Int32Array.from({ length: users + 1 }, (_, user) => user * records),
    userIds: Array.from({ length: users }, (_, user) => `u${user}`),
    subpopulations: [],
  };
}

/** Uniform in [-1, 1). */
function uniform(length: number, rng: Rng): Float32Array {
  const values = new Float32Array(length);
  for (let i = 0; i < length; i++) values[i] = 2 * rng.uniform() - 1;
  return values;
}

/**
 * Float operations of a user's training in a plain loop, with nothing saved between steps: forward product, weight gradients, and the gradients
 * handed to each layer but the first. Clip, sum and activations are left out.
 */
export function usefulFlops({ model, records, steps }: Workload): number {
  const classes = model.output.type === 'softmax' ? model.output.classes : 1;
  const widths = [...model.inputShape, ...(model.layers ?? []).map(({ units }) => units), classes];
  const layers = widths.slice(1).map((out, layer) => (layer === 0 ? 2 : 3) * (widths[layer] ?? 0) * out);
  return 2 * steps * records * layers.reduce((sum, flops) => sum + flops, 0);
}
