import { denseTrainer } from '../shared/model/dense/dense-trainer.ts';
import { ModelSpec } from '../shared/model/spec.ts';
import { localTrainer } from '../shared/model/trainer.ts';
import { inTurns, median, type Times, timed } from './measure.ts';
import type { Goal, Part, Setting } from './part.ts';
import { type Product, packedProduct } from './product.ts';
import { localTask, usefulFlops, type Workload, workloads } from './users.ts';

interface Case {
  readonly workload: Workload;
  readonly users: number;
  /** Users a second on two quiet cores. */
  readonly goal?: number;
}

const cases: readonly Case[] = [
  { workload: workloads.mlp10, users: 3000, goal: 10_000 },
  { workload: workloads.mlp2, users: 12_000, goal: 50_000 },
  {
    workload: { ...workloads.mlp10, name: `${workloads.mlp10.name}, 5 steps`, steps: 5 },
    users: 1000,
  },
  {
    workload: {
      ...workloads.mlp10,
      name: `${workloads.mlp10.name}, dropout`,
      defence: { type: 'dropout', rate: 0.5 },
    },
    users: 3000,
  },
  {
    workload: {
      ...workloads.mlp10,
      name: `${workloads.mlp10.name}, input noise`,
      defence: { type: 'input-noise', stdDev: 0.2 },
    },
    users: 1000,
  },
  { workload: workloads.logistic10, users: 30_000, goal: 180_000 },
  {
    workload: {
      name: 'logistic 150-1, 2 records, 5 steps',
      model: { inputShape: [150], output: { type: 'sigmoid' } },
      records: 2,
      steps: 5,
    },
    users: 20_000,
  },
];

/** Users a second of local training with clip and sum, and what part of the machine's own product that is. */
export const train: Part = {
  name: 'train',
  about: 'local training, clip and sum: users a second, and the matrix product below it',
  how: 'Five turns of all trainers, after one that warms up; users a second by the clock, the rest by processor time of one thread. Useful work counts the products of a plain loop, without clip and sum; over several steps the dense trainer saves some of them.',
  run: async (setting) => {
    const products = [packedProduct(512, 512, 512), packedProduct(1000, 128, 446)];
    for (const example of cases) await trainers(example, products[1], setting);
    for (const product of products) await speed(product, setting);
  },
};

async function trainers({ workload, ...example }: Case, product: Product | undefined, setting: Setting) {
  const { quick, emit } = setting;
  const spec = ModelSpec.parse(workload.model);
  const task = localTask(workload, quick ? 20 : example.users);
  const few = { ...task, users: task.users.subarray(0, quick ? 2 : 40) };
  const [two, one] = [denseTrainer(spec, { workers: 2 }), denseTrainer(spec, { workers: 1 })];
  const general = await localTrainer(spec, { provider: 'general', backend: 'wasm' });
  const works = [
    () => two.clippedSum(task),
    () => one.clippedSum(task),
    () => general.clippedSum(few),
    ...(product
      ? [
          () => {
            someRuns(product);
          },
        ]
      : []),
  ];
  const times = await inTurns(works, quick ? 1 : 5);
  const [both, single, slow, reference] = times as [Times, Times, Times, Times];
  const users = task.users.length;
  const useful = (usefulFlops(workload) * users) / single.processor;
  const name = (what: string): string => `${workload.name}: ${what}`;
  const goal: Goal | undefined = example.goal === undefined ? undefined : { atLeast: example.goal };
  const perSecond = 'users/s';
  emit({ name: name('dense, two threads'), value: users / both.wall, unit: perSecond, goal });
  emit({ name: name('dense, one thread'), value: users / single.wall, unit: perSecond });
  emit({ name: name('dense, processor time'), value: (1e6 * single.processor) / users, unit: 'us/user' });
  emit({
    name: name('general (tfjs wasm), processor time'),
    value: (1e6 * slow.processor) / few.users.length,
    unit: 'us/user',
  });
  emit({
    name: name('general over dense, processor time'),
    value: slow.processor / few.users.length / (single.processor / users),
    unit: 'times',
  });
  emit({ name: name('useful work of one thread'), value: useful / 1e9, unit: 'GF/s' });
  if (product)
    emit({
      name: name("useful work over the kernels' own product"),
      value: useful / ((productRuns * product.flops) / reference.processor),
      unit: '',
    });
}

/** So many that the clock of processor time is fine enough. */
const productRuns = 10;

function someRuns({ run }: Product): void {
  for (let repeat = 0; repeat < productRuns; repeat++) run();
}

/** Float32 operations a second of one core, in the middle and at best. */
async function speed(product: Product, { quick, emit }: Setting): Promise<void> {
  const speeds: number[] = [];
  for (let repeat = 0; repeat < (quick ? 2 : 20); repeat++) {
    const { processor } = await timed(() => {
      someRuns(product);
    });
    // The first ones warm up.
    if (repeat > 0) speeds.push((productRuns * product.flops) / 1e9 / processor);
  }
  const name = `product ${product.name}`;
  emit({ name, value: median(speeds), unit: 'GF/s', goal: { atLeast: 25 } });
  emit({ name: `${name}, at best`, value: Math.max(...speeds), unit: 'GF/s' });
}
