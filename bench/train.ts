import { parseArgs } from 'node:util';
import type { Shard } from '../shared/data/shard.ts';
import { denseTrainer } from '../shared/model/dense/dense-trainer.ts';
import { initialParameters } from '../shared/model/initial.ts';
import { makeArena, rowBytes } from '../shared/model/kernels/arena.ts';
import { loadKernels } from '../shared/model/kernels/kernels.ts';
import { LocalPlan, type LocalTask, type LocalTrainer } from '../shared/model/local-trainer.ts';
import { ModelSpec } from '../shared/model/spec.ts';
import { localTrainer } from '../shared/model/trainer.ts';
import { type Rng, seededRng } from '../shared/random/rng.ts';
import { Seed } from '../shared/units.ts';

/**
 * Users per second of local training, clip and sum included, and the speed of the matrix product:
 *
 *     npx tsx bench/train.ts [--json]
 *
 * Everything is measured in turns, so that a busy machine slows all alike; medians of wall-clock time, and of processor time
 * where it says so. `goal` is what issue 5 asks for, on two quiet cores.
 */
const { values: options } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const repeats = 5;

interface Case {
  readonly name: string;
  readonly model: {
    readonly inputShape: readonly number[];
    readonly layers?: readonly unknown[];
    readonly output: unknown;
  };
  readonly records: number;
  readonly epochs: number;
  readonly users: number;
  readonly goal: number | undefined;
}

const mlp = {
  inputShape: [446],
  layers: [{ type: 'dense', units: 128, activation: 'relu' }],
  output: { type: 'softmax', classes: 30 },
};
const cases: readonly Case[] = [
  { name: '446-128-30, 10 records', model: mlp, records: 10, epochs: 1, users: 3000, goal: 10_000 },
  { name: '446-128-30, 2 records', model: mlp, records: 2, epochs: 1, users: 12_000, goal: 50_000 },
  {
    name: '446-128-30, 10 records, 5 steps',
    model: mlp,
    records: 10,
    epochs: 5,
    users: 1000,
    goal: undefined,
  },
  {
    name: 'logistic 100-10, 10 records',
    model: { inputShape: [100], output: { type: 'softmax', classes: 10 } },
    records: 10,
    epochs: 1,
    users: 30_000,
    goal: 180_000,
  },
  {
    name: 'logistic 150-1, 2 records, 5 steps',
    model: { inputShape: [150], output: { type: 'sigmoid' } },
    records: 2,
    epochs: 5,
    users: 20_000,
    goal: undefined,
  },
];

for (const example of cases) await measure(example);
product(512, 512, 512);
product(1000, 128, 446);

async function measure(example: Case): Promise<void> {
  const spec = ModelSpec.parse(example.model);
  const task = taskOf(spec, example);
  const few = { ...task, users: task.users.subarray(0, 40) };
  const rivals: readonly (readonly [string, LocalTrainer, LocalTask])[] = [
    ['dense, two threads', denseTrainer(spec, { workers: 2 }), task],
    ['dense, one thread', denseTrainer(spec, { workers: 1 }), task],
    ['general, tfjs wasm', await localTrainer(spec, { provider: 'general', backend: 'wasm' }), few],
  ];
  const wall = rivals.map((): number[] => []);
  const processor = rivals.map((): number[] => []);
  for (let repeat = 0; repeat <= repeats; repeat++) {
    for (const [index, [, trainer, work]] of rivals.entries()) {
      const [start, used] = [performance.now(), process.cpuUsage()];
      await trainer.clippedSum(work);
      if (repeat === 0) continue; // warms up
      const { user, system } = process.cpuUsage(used);
      wall[index]!.push((performance.now() - start) / 1e3 / work.users.length);
      processor[index]!.push((user + system) / 1e6 / work.users.length);
    }
  }
  const results = rivals.map(([name], index) => ({
    name,
    usersPerSecond: Math.round(1 / median(wall[index]!)),
    processorMicroseconds: 1e6 * median(processor[index]!),
  }));
  const ratio = results[2]!.processorMicroseconds / results[1]!.processorMicroseconds;
  report({ case: example.name, goal: example.goal, results, timesFasterThanGeneral: ratio }, [
    `${example.name}${example.goal === undefined ? '' : ` (goal ${example.goal} users/s)`}`,
    ...results.map(
      ({ name, usersPerSecond, processorMicroseconds }) =>
        `  ${name}: ${usersPerSecond} users/s, ${processorMicroseconds.toFixed(1)} us of processor time per user`,
    ),
    `  one thread against general: ${ratio.toFixed(1)} times less processor time`,
  ]);
}

/** Float32 operations per second of one core in the packed matrix product; the goal is 25 GF/s. */
function product(m: number, n: number, k: number): void {
  const kernels = loadKernels();
  const arena = makeArena(kernels);
  const [a, b, c] = [arena.zeroRows(m, k), arena.zeroRows(k, n), arena.zeroRows(m, n)];
  arena.floats(a.at, (m * rowBytes(k)) / 4).fill(0.5);
  arena.floats(b.at, (k * rowBytes(n)) / 4).fill(0.25);
  const packed = arena.take(32 * k * Math.ceil(n / 8));
  kernels.pack(k, n, b.at, b.row, 4, packed);
  const seconds: number[] = [];
  for (let repeat = 0; repeat < 40; repeat++) {
    const start = performance.now();
    kernels.multiply(m, n, k, a.at, a.row, 4, packed, 32 * k, 32, c.at, c.row, 1, 0);
    seconds.push((performance.now() - start) / 1e3);
  }
  const rate = (time: number): number => (2e-9 * m * n * k) / time;
  const [middle, best] = [rate(median(seconds)), rate(Math.min(...seconds))];
  report({ product: [m, n, k], gigaflops: middle, best, goal: 25 }, [
    `product ${m} x ${n} x ${k}: ${middle.toFixed(1)} GF/s, at best ${best.toFixed(1)} (goal 25)`,
  ]);
}

function report(data: object, lines: readonly string[]): void {
  console.log(options.json ? JSON.stringify(data) : lines.join('\n'));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function taskOf(spec: ModelSpec, { users, records, epochs }: Case): LocalTask {
  const rng = seededRng(Seed.parse(11));
  return {
    parameters: initialParameters(spec, rng),
    shard: randomShard(spec, { users, records }, rng),
    users: Int32Array.from({ length: users }, (_, user) => user),
    plan: LocalPlan.parse({ epochs, batchSize: 'all', learningRate: 0.1 }),
    round: 0,
    clipNorm: 0.5,
    rng,
  };
}

function randomShard(
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
    features: Float32Array.from({ length: numRecords * numFeatures }, () => 2 * rng.uniform() - 1),
    labels: Int32Array.from({ length: numRecords }, () => rng.uint32() % numClasses),
    userOffsets: Int32Array.from({ length: users + 1 }, (_, user) => user * records),
    userIds: Array.from({ length: users }, (_, user) => `u${user}`),
    subpopulations: [],
  };
}
