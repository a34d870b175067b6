import { spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { type ErrorCode, errorCodes, ParleyError } from '../shared/errors.ts';

interface Spawning {
  /** Ends the processes. */
  readonly signal: AbortSignal;
  readonly note: (text: string) => void;
}

/**
 * Start one `parley client` for each configuration file; each writes its log beside the file. A promise settles when its
 * process has ended: rejected with the site's own error when it refused to go on, resolved when it finished or was killed
 * (a site that vanishes costs the rounds its contribution, nothing else).
 */
export function spawnClients(files: readonly string[], spawning: Spawning): Promise<void>[] {
  return files.map((file) => spawnClient(file, spawning));
}

function spawnClient(file: string, { signal, note }: Spawning): Promise<void> {
  const command = process.argv[1] ?? '';
  const child = spawn(process.execPath, [...process.execArgv, command, 'client', file, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log = clientLog(join(dirname(file), 'client.log'), note);
  child.stderr.on('data', log.write);
  let lastLine = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    log.write(text);
    lastLine = text.trimEnd().split('\n').at(-1) ?? lastLine;
  });
  const kill = (): void => {
    child.kill('SIGTERM');
  };
  signal.addEventListener('abort', kill);
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, killedBy) => {
      log.end();
      signal.removeEventListener('abort', kill);
      if (killedBy !== null && !signal.aborted) note(`${file}: the client was killed by ${killedBy}`);
      if (code === null || code === 0 || signal.aborted) resolve();
      else
        reject(
          errorOf(lastLine, `${file}: the client ended with exit code ${code}; see client.log beside it`),
        );
    });
  });
}

interface ClientLog {
  readonly write: (text: string | Uint8Array) => void;
  readonly end: () => void;
}

/** A log that cannot be written, as on a full disk, is noted once and then does without the rest: no run hangs on it. */
function clientLog(path: string, note: (text: string) => void): ClientLog {
  const stream = createWriteStream(path, { flags: 'a' });
  stream.on('error', ({ message }) => {
    note(`${path} cannot be written (${message}): the site goes on without its log`);
  });
  return {
    write: (text) => {
      if (!stream.destroyed) stream.write(text);
    },
    end: () => {
      stream.end();
    },
  };
}

const Failure = z.object({
  error: z.object({
    code: z.custom<ErrorCode>((code) => typeof code === 'string' && code in errorCodes),
    message: z.string(),
  }),
});

/** The error that the last line of a command with `--json` tells; one with the text `otherwise` where it tells none. */
export function errorOf(line: string, otherwise: string): Error {
  try {
    const { error } = Failure.parse(JSON.parse(line));
    return new ParleyError(error.code, error.message);
  } catch {
    return new Error(otherwise);
  }
}
