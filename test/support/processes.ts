import { type ChildProcess, spawn } from 'node:child_process';
import { createServer } from 'node:net';

/** A `parley` command running as a process of its own. */
export interface ParleyProcess {
  readonly child: ChildProcess;
  /** Complete lines of stdout so far. */
  readonly lines: readonly string[];
  readonly stderr: () => string;
  /** Resolves with the first line, past or to come, that fits; rejects when the process ends without one. */
  waitFor(fits: (line: string) => boolean): Promise<string>;
  /** Resolves with the exit code, null after a signal. */
  readonly exited: Promise<number | null>;
  kill(signal: NodeJS.Signals): Promise<number | null>;
}

/** Start `parley` from the sources. */
export function parley(...args: readonly string[]): ParleyProcess {
  const child = spawn(process.execPath, ['--import', 'tsx', 'parley.ts', ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const lines: string[] = [];
  const waiting = new Set<() => void>();
  let rest = '';
  let errors = '';
  let ended = false;
  const wake = (): void => {
    for (const check of [...waiting]) check();
  };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    wake();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  const exited = new Promise<number | null>((resolve) => {
    child.on('close', (code) => {
      ended = true;
      wake();
      resolve(code);
    });
  });
  const waitFor = (fits: (line: string) => boolean): Promise<string> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        const found = lines.find(fits);
        if (found === undefined && !ended) return;
        waiting.delete(check);
        if (found === undefined)
          reject(new Error(`parley ${args.join(' ')} ended first:\n${lines.join('\n')}\n${errors}`));
        else resolve(found);
      };
      waiting.add(check);
      check();
    });
  return {
    child,
    lines,
    stderr: () => errors,
    waitFor,
    exited,
    kill: (signal) => {
      child.kill(signal);
      return exited;
    },
  };
}

/** Run `parley` to its end. */
export async function parleyDone(
  ...args: readonly string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  const running = parley(...args);
  const code = await running.exited;
  return { code, stdout: running.lines.join('\n'), stderr: running.stderr() };
}

/** A port that was free a moment ago. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject).listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === 'object') resolve(address.port);
        else reject(new Error('no port'));
      });
    });
  });
}
