import type { Shard } from '../shared/data/shard.ts';
import { initialParameters } from '../shared/model/initial.ts';
import { LocalPlan, type LocalTask } from '../shared/model/local-trainer.ts';
import { ModelSpec } from '../shared/model/spec.ts';
import { localTrainer, type TrainerChoice } from '../shared/model/trainer.ts';
import { type Rng, seededRng } from '../shared/random/rng.ts';
import { Seed } from '../shared/units.ts';

/**
 * Microseconds of processor time per user of local training, five local steps on all of a user's records, clip and sum included:
 *
 *     npx tsx bench/train.ts
 */
const cases = [
  { name: 'logistic 150-1, 2 records', features: 150, records: 2, model: { output: { type: 'sigmoid' } } },
  {
    name: 'MLP 100-64-2, 5 records',
    features: 100,
    records: 5,
    model: {
      layers: [{ type: 'dense', units: 64, activation: 'relu' }],
      output: { type: 'softmax', classes: 2 },
    },
  },
];
const choices: readonly TrainerChoice[] = [
  { provider: 'dense', backend: 'auto' },
  { provider: 'general', backend: 'wasm' },
  { provider: 'general', backend: 'cpu' },
];

for (const { name, features, records, model } of cases) {
  const spec = ModelSpec.parse({ inputShape: [features], ...model });
  for (const choice of choices) {
    const numUsers = choice.provider === 'dense' ? 2000 : 100;
    const trainer = await localTrainer(spec, choice);
    const rng = seededRng(Seed.parse(11));
    const task: LocalTask = {
      parameters: initialParameters(spec, rng),
      shard: randomShard({ numUsers, features, records }, rng),
      users: Int32Array.from({ length: numUsers }, (_, user) => user),
      plan: LocalPlan.parse({ epochs: 5, batchSize: 'all', learningRate: 0.1 }),
      round: 0,
      clipNorm: 0.5,
      rng,
    };
    const microseconds = (await medianMs(() => trainer.clippedSum(task))) * (1000 / numUsers);
    console.log(
      `${name}: ${microseconds.toFixed(1)} us per user; ${trainer.provider}, ${trainer.description}`,
    );
  }
}

/** Median processor time of five runs after one that warms up; a busy machine does not lengthen it. */
async function medianMs(run: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let repeat = 0; repeat < 6; repeat++) {
    const before = process.cpuUsage();
    await run();
    times.push(process.cpuUsage(before).user / 1000);
  }
  return times.slice(1).sort((a, b) => a - b)[2] ?? NaN;
}

function randomShard(
  size: { readonly numUsers: number; readonly features: number; readonly records: number },
  rng: Rng,
): Shard {
  const numRecords = size.numUsers * size.records;
  return {
    numFeatures: size.features,
    numClasses: 2,
    features: Float32Array.from({ length: numRecords * size.features }, () => 2 * rng.uniform() - 1),
    labels: Int32Array.from({ length: numRecords }, () => rng.uint32() % 2),
    userOffsets: Int32Array.from({ length: size.numUsers + 1 }, (_, user) => user * size.records),
    userIds: Array.from({ length: size.numUsers }, (_, user) => `u${user}`),
    subpopulations: [],
  };
}
