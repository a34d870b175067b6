import { denseTrainer } from '../shared/model/dense/dense-trainer.ts';
import type { LocalTask, LocalTrainer } from '../shared/model/local-trainer.ts';
import { ModelSpec } from '../shared/model/spec.ts';
import { median, timed } from './measure.ts';
import type { Goal, Part, Setting } from './part.ts';
import { packedProduct } from './product.ts';
import { localTask, workloads } from './users.ts';
import { startYardstick, type UserTimes, type Yardstick } from './yardstick-process.ts';

/** Our trainer and the same users in Python, in turns. */
export const yardstick: Part = {
  name: 'yardstick',
  about: 'the trainer beside loops in numpy and torch, and the product beside numpy, in turns (needs Python)',
  how: '`bench/yardstick.py` in processes of their own with one and two threads; five turns after one that warms up, users a second by the clock, and processor time of one thread; numpy and torch free to choose their kernels.',
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

/** By workload, method and threads. */
type Speeds = Map<string, UserTimes>;

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
  const found = new Map(
    ['dense trainer', ...python.methods].map((method): [string, UserTimes[]] => [method, []]),
  );
  for (let turn = 0; turn <= (quick ? 1 : 5); turn++)
    for (const [method, turns] of found) {
      const times =
        method === 'dense trainer' ? await trained(trainer, task) : await python.train(key, method);
      // The first turn warms up.
      if (turn > 0) turns.push(times);
    }
  const name = `${workload.name}, ${threads} thread${threads > 1 ? 's' : ''}`;
  for (const [method, turns] of found) {
    const perSecond = median(turns.map((times) => times.perSecond));
    const processor = median(turns.map((times) => times.processor));
    speeds.set(`${key}, ${method}, ${threads}`, { perSecond, processor });
    emit({ name: `${name}: ${method}`, value: perSecond, unit: 'users/s' });
    if (threads === 1)
      emit({ name: `${name}: ${method}, processor time`, value: processor, unit: 'us/user' });
  }
}

async function trained(trainer: LocalTrainer, task: LocalTask): Promise<UserTimes> {
  const { wall, processor } = await timed(() => trainer.clippedSum(task));
  const count = task.users.length;
  return { perSecond: count / wall, processor: (1e6 * processor) / count };
}

/** On two cores. A busy machine makes the torch loop's two threads wait for each other, so the faster way counts. */
function summary(key: (typeof keys)[number], speeds: Speeds, { emit }: Setting): void {
  const of = (method: string, threads: number): UserTimes | undefined =>
    speeds.get(`${key}, ${method}, ${threads}`);
  const [single, double] = [of('dense trainer', 1), of('dense trainer', 2)];
  for (const method of ['torch loop', 'torch vmap', 'numpy']) {
    const [one, two] = [of(method, 1), of(method, 2)];
    if (!single || !double || !one || !two) continue;
    const wanted = method === 'torch loop' ? goal : undefined;
    const ratio = (what: string, value: number, goal?: Goal): void => {
      emit({ name: `${workloads[key].name}, over ${method}: ${what}`, value, unit: 'times', goal });
    };
    ratio(
      'two threads, its faster of one and two',
      double.perSecond / Math.max(one.perSecond, two.perSecond),
      wanted,
    );
    ratio('one thread, processor time', one.processor / single.processor, wanted);
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
