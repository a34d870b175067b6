import { type JobRoom, runJob } from './job-process.ts';
import { connect, noteOnce, QueuedData, type QueueOptions, queueName } from './queue-connection.ts';
import type { Work } from './queue-library.ts';
import { identityOf, type JobResult } from './result.ts';

/** Workers that may vanish while they have the same job, before it is given up. */
const maxVanished = 5;

/** What a worker is told beside its queue. */
export interface QueueWork {
  readonly atOnce: number;
  readonly room: JobRoom;
  /** It waits for jobs from now on. */
  readonly ready: () => void;
  readonly begun: (id: string) => void;
  readonly ended: (result: JobResult) => void;
}

/**
 * Take jobs from the queue until the room's signal aborts; those that run then go back into the queue. The result of a job goes
 * back through the queue too, so that machines need no common disk.
 *
 * @throws as {@link connect}.
 */
export async function workOnQueue(work: QueueWork, options: QueueOptions): Promise<void> {
  const { bullmq, connecting } = await connect(options);
  const { signal } = work.room;
  const process: Work = async (queued, token) => {
    try {
      const result = await resultOf(queued.data, work, options.version);
      work.ended(result);
      return result;
    } catch (error) {
      if (!signal.aborted) throw error;
      await queued.moveToWait(token);
      throw new bullmq.WaitingError();
    }
  };
  const lockDuration = options.lockSeconds * 1000;
  const worker = new bullmq.Worker(queueName, process, {
    ...connecting,
    ...{
      concurrency: work.atOnce,
      lockDuration,
      stalledInterval: lockDuration,
      maxStalledCount: maxVanished,
    },
  });
  worker.on('error', noteOnce(options.note));
  work.ready();
  await aborted(signal);
  await worker.close();
}

async function resultOf(data: unknown, { room, begun }: QueueWork, version: string): Promise<JobResult> {
  const { version: theirs, job } = QueuedData.parse(data);
  begun(job.id);
  if (theirs === version) return runJob(job, room);
  const message = `the job is of version ${theirs} and the worker of ${version}: all machines need the same`;
  return { ...identityOf(job), status: 'failed', error: { code: 'RUN_MISMATCH', message } };
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const stop = (): void => {
      resolve();
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
