import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ParleyError } from '../../shared/errors.ts';
import { parsedJson } from '../../shared/protocol/json.ts';
import { writeWhole } from '../run-directory.ts';
import { Job } from './jobs.ts';
import { JobResult } from './result.ts';

/** Where a job lies in its sweep's directory. */
export function jobDirectory(out: string, { id }: Pick<Job, 'id'>): string {
  return join(out, 'jobs', id);
}

/** Where the job's run lies in the job's directory. */
export function runOf(directory: string): string {
  return join(directory, 'run');
}

/** The scenario of a job, which `parley simulate` takes too. */
export function scenarioOf(directory: string): string {
  return join(directory, 'scenario.json');
}

/** What a job's directory says it ended with; undefined when it failed, did not end, or was another job. */
export function keptResult(directory: string, { hash }: Pick<Job, 'hash'>): JobResult | undefined {
  const file = join(directory, 'result.json');
  if (!existsSync(file)) return undefined;
  const result = JobResult.safeParse(parsedJson(readFileSync(file, 'utf8')));
  return result.data?.hash === hash && result.data.status === 'done' ? result.data : undefined;
}

/**
 * Lay out a job's directory: order, scenario and the files that it reads. What another job, or a failed one, left there goes;
 * a run that was interrupted stays, to be gone on with.
 *
 * @throws DIRECTORY_UNWRITABLE
 */
export function layOut(directory: string, job: Job): void {
  const isSame = storedJob(directory)?.hash === job.hash && !existsSync(join(directory, 'result.json'));
  try {
    if (!isSame) rmSync(directory, { recursive: true, force: true });
    mkdirSync(directory, { recursive: true });
    for (const [name, content] of Object.entries(job.files))
      writeFileSync(join(directory, name), Buffer.from(content, 'base64'));
    writeFileSync(scenarioOf(directory), `${JSON.stringify(job.scenario, null, 2)}\n`);
    writeWhole(join(directory, 'job.json'), job);
  } catch (cause) {
    throw new ParleyError(
      'DIRECTORY_UNWRITABLE',
      `the job's directory ${directory} cannot be written to (${cause instanceof Error ? cause.message : String(cause)}); give another --out`,
      { cause },
    );
  }
}

/** The job that a directory was laid out for. */
export function storedJob(directory: string): Job | undefined {
  const file = join(directory, 'job.json');
  return existsSync(file) ? Job.safeParse(parsedJson(readFileSync(file, 'utf8'))).data : undefined;
}

/** Mark a job as ended. */
export function recordResult(directory: string, result: JobResult): void {
  mkdirSync(directory, { recursive: true });
  writeWhole(join(directory, 'result.json'), result);
  // Data, ledgers and releases of many jobs would fill the disk; a result that was kept needs none of them.
  if (result.status === 'done') rmSync(join(runOf(directory), 'sites'), { recursive: true, force: true });
}
