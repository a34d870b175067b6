import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { parleyVersion } from '../../coordinator/index.ts';
import type { Terminal } from '../terminal.ts';
import { jobDirectory } from './job-directory.ts';
import { workOnQueue } from './queue-worker.ts';
import { dataOf, defaultLockSeconds, threadsOf } from './sweep-command.ts';

/** What `parley sweep-worker` was asked for. */
export interface WorkerOptions {
  readonly redis: string;
  /** Where runs lie while they are worked on. */
  readonly out?: string;
  readonly jobs?: number;
  readonly dataDir?: string;
  readonly lockSeconds?: number;
}

/**
 * `parley sweep-worker`: run jobs of sweeps from a queue until Ctrl-C. Runs lie in a temporary folder, or where
 * `out` says, and go once their results are back in the queue.
 *
 * @throws CONFIG_INVALID, BACKEND_UNAVAILABLE, CONNECTION_LOST when the queue cannot be reached at the start.
 */
export async function sweepWorkerCommand(
  options: WorkerOptions,
  { terminal, signal }: { terminal: Terminal; signal: AbortSignal },
): Promise<void> {
  const out = options.out ?? mkdtempSync(join(tmpdir(), 'parley-sweep-'));
  const atOnce = options.jobs ?? availableParallelism();
  const tell = (text: string, value: unknown): void => {
    terminal.say(text);
    terminal.emit(value);
  };
  const work = {
    atOnce,
    room: { out, signal, threads: threadsOf(atOnce), ...dataOf(options) },
    ready: () => {
      tell(`waiting for jobs, ${atOnce} at once`, { ready: atOnce });
    },
    begun: (id: string) => {
      tell(`begun: ${id}`, { begun: id });
    },
    ended: (result: { id: string; status: string }) => {
      rmSync(jobDirectory(out, result), { recursive: true, force: true });
      tell(`${result.status}: ${result.id}`, { ended: result.id, status: result.status });
    },
  };
  try {
    await workOnQueue(work, {
      url: options.redis,
      version: parleyVersion(),
      lockSeconds: options.lockSeconds ?? defaultLockSeconds,
      note: terminal.note,
    });
  } finally {
    if (options.out === undefined) rmSync(out, { recursive: true, force: true });
  }
}
