import { denseTrainer } from '../shared/model/dense/dense-trainer.ts';
import { ModelSpec } from '../shared/model/spec.ts';
import { median, timed } from './measure.ts';
import type { Part, Setting } from './part.ts';
import { packedProduct } from './product.ts';
import { localTask, workloads } from './users.ts';
import { startYardstick, type Yardstick } from './yardstick-process.ts';

/** Our trainer and the same users in Python, in turns. */
export const yardstick: Part = {
  name: 'yardstick',
  about: 'the trainer beside loops in numpy and torch, and the product beside numpy, in turns (needs Python)',
  how: '`bench/yardstick.py` in processes of their own with one and two threads; five turns after one that warms up, users a second by the clock.',
  run: async (setting) => {
    const speeds: Speeds = new Map();
    for (const threads of [1, 2]) {
      const python = await startYardstick(threads, setting.quick);
      if (typeof python === 'string') {
        setting.note(`skipped: Python with numpy is needed (PARLEY_PYTHON names the interpreter): ${python}`);
        return;
      }
      if (threads === 1) await products(python, setting);
      if (!python.torch) setting.note('torch is not installed: numpy only');
      for (const key of keys) await compare(key, { threads, python, speeds }, setting);
      python.close();
    }
    for (const key of keys) summary(key, speeds, setting);
  },
};

const keys = ['mlp10', 'mlp2', 'logistic10'] as const;
const users = { mlp10: 2000, mlp2: 8000, logistic10: 20_000 };
/** Times a torch loop on the same cores. */
const goal = { atLeast: 7 };

/** Users a second by workload, method and threads. */
type Speeds = Map<string, number>;

interface Rival {
  readonly threads: number;
  readonly python: Yardstick;
  readonly speeds: Speeds;
}

async function compare(key: (typeof keys)[number], { threads, python, speeds }: Rival, setting: Setting) {
  const { quick, emit } = setting;
  const workload = workloads[key];
  const trainer = denseTrainer(ModelSpec.parse(workload.model), { workers: threads });
  const task = localTask(workload, quick ? 4 : users[key]);
  const ours: number[] = [];
  const theirs = new Map(python.methods.map((method): [string, number[]] => [method, []]));
  for (let turn = 0; turn <= (quick ? 1 : 5); turn++) {
    const { wall } = await timed(() => trainer.clippedSum(task));
    // The first turn warms up.
    if (turn > 0) ours.push(task.users.length / wall);
    for (const [method, found] of theirs) found.push(await python.usersPerSecond(key, method));
  }
  const name = `${workload.name}, ${threads} thread${threads > 1 ? 's' : ''}`;
  const medians = new Map([['dense trainer', median(ours)]]);
  for (const [method, found] of theirs) medians.set(method, median(found.slice(1)));
  for (const [method, speed] of medians) {
    speeds.set(`${key}, ${method}, ${threads}`, speed);
    emit({ name: `${name}: ${method}`, value: speed, unit: 'users/s' });
  }
}

/** On two cores. A busy machine makes the torch loop's two threads wait for each other, so the faster way counts. */
function summary(key: (typeof keys)[number], speeds: Speeds, { emit }: Setting): void {
  const speedOf = (method: string, threads: number): number =>
    speeds.get(`${key}, ${method}, ${threads}`) ?? NaN;
  const ours = speedOf('dense trainer', 2);
  for (const method of ['torch loop', 'torch vmap', 'numpy']) {
    const [one, two] = [speedOf(method, 1), speedOf(method, 2)];
    if (Number.isNaN(one)) continue;
    const name = `${workloads[key].name}, two threads over ${method}`;
    const wanted = method === 'torch loop' ? goal : undefined;
    emit({
      name: `${name}, the faster of one and two threads`,
      value: ours / Math.max(one, two),
      unit: 'times',
      goal: wanted,
    });
    emit({
      name: `${name}, two processes if they do not hinder each other`,
      value: ours / (2 * one),
      unit: 'times',
    });
  }
}

/** Both of one core. */
async function products(python: Yardstick, { quick, emit }: Setting): Promise<void> {
  const product = packedProduct(1000, 128, 446);
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let turn = 0; turn < (quick ? 1 : 7); turn++) {
    ours.push(product.flops / 1e9 / (await timed(product.run)).processor);
    theirs.push(await python.gigaflops());
  }
  emit({ name: "numpy's product, 1024 x 1024 x 1024, one thread", value: median(theirs), unit: 'GF/s' });
  const share = median(ours) / median(theirs);
  emit({ name: `product ${product.name} over numpy's`, value: share, unit: '', goal: { atLeast: 0.3 } });
}
