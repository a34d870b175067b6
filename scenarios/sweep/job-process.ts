import { spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { ParleyError } from '../../shared/errors.ts';
import { errorOf } from '../client-processes.ts';
import { jobDirectory, keptResult, layOut, recordResult, runOf } from './job-directory.ts';
import type { Job } from './jobs.ts';
import { identityOf, type JobResult } from './result.ts';

/** Where jobs of this machine run. */
export interface JobRoom {
  /** Jobs lie in `jobs/<id>` of it. */
  readonly out: string;
  readonly dataDir?: string;
  /** Threads of one job. */
  readonly threads: number;
  /** Ends the processes; their runs can be gone on with. */
  readonly signal: AbortSignal;
}

/**
 * Run one job in a process of its own, unless its directory says that it is done. An interrupted run is gone on with, and
 * begun anew when that fails. A job that fails is recorded with its error.
 *
 * @throws INTERRUPTED; DIRECTORY_UNWRITABLE.
 */
export async function runJob(job: Job, room: JobRoom): Promise<JobResult> {
  const directory = jobDirectory(room.out, job);
  const kept = keptResult(directory, job);
  if (kept !== undefined) return kept;
  layOut(directory, job);
  const wasBegun = existsSync(runOf(directory));
  let failure = await attempt(directory, room);
  if (failure !== undefined && wasBegun) {
    rmSync(runOf(directory), { recursive: true, force: true });
    failure = await attempt(directory, room);
  }
  const result = keptResult(directory, job);
  if (result !== undefined) return result;
  const error = failureOf(failure);
  const failed: JobResult = { ...identityOf(job), status: 'failed', error };
  recordResult(directory, failed);
  return failed;
}

/** Why the process failed; undefined when it did not. Throws INTERRUPTED. */
async function attempt(directory: string, { signal, ...room }: JobRoom): Promise<Error | undefined> {
  const words = ['sweep-job', directory, '--json', '--threads', String(room.threads)];
  if (room.dataDir !== undefined) words.push('--data-dir', room.dataDir);
  assertWanted(signal);
  const child = spawn(process.execPath, [...process.execArgv, process.argv[1] ?? '', ...words], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  // Its channel's end is what it listens for; a signal could arrive twice, from here and from the terminal.
  const stop = (): void => {
    if (child.connected) child.disconnect();
  };
  signal.addEventListener('abort', stop);
  const output = tailOf(child.stdout);
  const errors = tailOf(child.stderr);
  // Not `close`: it never comes once this side has ended the channel.
  const exited = new Promise<number | null>((resolve, reject) => {
    child.on('error', reject).on('exit', resolve);
  });
  const [code] = await Promise.all([exited, output.ended, errors.ended]).finally(() => {
    signal.removeEventListener('abort', stop);
  });
  assertWanted(signal);
  if (code === 0) return undefined;
  const how = code === null ? 'was killed' : `ended with exit code ${code}`;
  const lastLine = output.tail().trimEnd().split('\n').at(-1) ?? '';
  return errorOf(lastLine, `the job's process ${how}: ${errors.tail().trim()}`);
}

const longestTail = 4_000;

/** What a stream said last, and when it has said all. */
function tailOf(stream: Readable | null): { tail: () => string; ended: Promise<void> } {
  let tail = '';
  if (stream === null) return { tail: () => tail, ended: Promise.resolve() };
  stream.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-longestTail);
  });
  return { tail: () => tail, ended: finished(stream) };
}

function failureOf(failure: Error | undefined): { code: string; message: string } {
  if (failure === undefined) return { code: 'INTERNAL', message: 'the process left no result' };
  return { code: failure instanceof ParleyError ? failure.code : 'INTERNAL', message: failure.message };
}

function assertWanted(signal: AbortSignal): void {
  if (signal.aborted) throw interrupted();
}

/** The end that an operator asked for. */
export function interrupted(): ParleyError {
  return new ParleyError('INTERRUPTED', 'stopped by request; the same command goes on with what is left');
}
