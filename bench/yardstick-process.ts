import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** What the other side of bench/yardstick.py says first: the methods that it has. */
const About = z.object({
  methods: z.array(z.string()),
  numpy: z.string(),
  torch: z.string().nullable(),
});

/** Users a second by the clock, and microseconds of processor time of a user. */
export interface UserTimes {
  readonly perSecond: number;
  readonly processor: number;
}

/** bench/yardstick.py as a process that measures when it is told to. */
export interface Yardstick extends z.infer<typeof About> {
  readonly train: (workload: string, method: string) => Promise<UserTimes>;
  /** Of the machine's own product, each second of processor time. */
  readonly gigaflops: () => Promise<number>;
  readonly close: () => void;
}

/** Start it with so many threads; what is wrong, where Python or numpy is missing. */
export async function startYardstick(threads: number, quick: boolean): Promise<Yardstick | string> {
  const python = process.env['PARLEY_PYTHON'] ?? 'python3';
  const script = fileURLToPath(new URL('yardstick.py', import.meta.url));
  const args = [script, '--serve', '--threads', `${threads}`, ...(quick ? ['--quick'] : [])];
  const child = spawn(python, args, { stdio: ['pipe', 'pipe', 'pipe'] });
  const problem = problemOf(child);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async (): Promise<unknown> => {
    const { value, done } = (await lines.next()) as IteratorResult<string, undefined>;
    if (done === true) throw new Error(`${python} has ended: ${await problem}`);
    return JSON.parse(value);
  };
  const ask = async (question: string): Promise<unknown> => {
    child.stdin.write(`${question}\n`);
    return next();
  };
  try {
    const about = About.parse(await next());
    return {
      ...about,
      train: async (workload, method) => {
        const answer = Users.parse(await ask(`${workload} ${method}`));
        return { perSecond: answer.users_per_second, processor: answer.processor_us_per_user };
      },
      gigaflops: async () => Product.parse(await ask('sgemm')).per_processor_second,
      close: () => {
        child.stdin.end();
      },
    };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

const Users = z.object({
  users_per_second: z.number().positive(),
  processor_us_per_user: z.number().positive(),
});
const Product = z.object({ per_processor_second: z.number().positive() });

/** The last line of what the process says when it fails. */
async function problemOf(child: ChildProcess): Promise<string> {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  // A process that cannot be started at all tells it by an error, and writing to it fails too.
  child.stdin?.on('error', () => undefined);
  const failed = once(child, 'error').then(([error]: unknown[]) => String(error));
  const closed = once(child, 'close').then(() => text.trim().split('\n').at(-1) ?? '');
  return Promise.race([failed, closed]);
}
