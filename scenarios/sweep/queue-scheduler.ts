import { interrupted } from './job-process.ts';
import type { Job } from './jobs.ts';
import { connect, noteOnce, type QueuedData, type QueueOptions, queueName } from './queue-connection.ts';
import type { Queue, QueuedJob, QueueEvents } from './queue-library.ts';
import { identityOf, JobResult } from './result.ts';
import type { Scheduler, Watch } from './scheduler.ts';

const keptSeconds = 7 * 24 * 3600;

/** How a sweep uses the queue. */
export interface QueuedSweep extends QueueOptions {
  /** Name of the sweep; with a job's hash the name of the job in the queue. */
  readonly sweep: string;
  /** Forget results that came earlier. */
  readonly fresh: boolean;
}

/**
 * Puts jobs into a queue in Redis and waits for the results of `parley sweep-worker`. A job of a sweep is queued once: started
 * again, this waits for what is left and takes the results that came in the meantime.
 *
 * @throws as {@link connect} before anything is queued; INTERRUPTED, when the jobs that no worker has begun leave the queue.
 */
export function queueScheduler(options: QueuedSweep): Scheduler {
  return async (jobs, watch) => {
    const { bullmq, connecting } = await connect(options);
    const queue = new bullmq.Queue(queueName, connecting);
    const events = new bullmq.QueueEvents(queueName, connecting);
    for (const part of [queue, events]) part.on('error', noteOnce(options.note));
    const waiting = new Map(jobs.map((job) => [`${options.sweep}_${job.hash}`, job]));
    try {
      for (const [id, job] of waiting) await enqueue(queue, id, job, options);
      await collect({ queue, events, waiting, everyMs: options.lockSeconds * 1000 }, watch);
    } finally {
      if (watch.signal.aborted) await Promise.all([...waiting.keys()].map((id) => withdraw(queue, id)));
      await Promise.all([queue.close(), events.close()]);
    }
  };
}

async function enqueue(queue: Queue, id: string, job: Job, { version, fresh }: QueuedSweep): Promise<void> {
  const earlier = await queue.getJob(id);
  const result = earlier && (await resultOf(earlier, job));
  if (result && (fresh || result.status === 'failed')) await earlier.remove();
  const data: QueuedData = { version, job };
  const kept = { age: keptSeconds };
  await queue.add(job.id, data, { jobId: id, removeOnComplete: kept, removeOnFail: kept });
}

interface Collecting {
  readonly queue: Queue;
  readonly events: QueueEvents;
  /** By their names in the queue; those whose results are in leave it. */
  readonly waiting: Map<string, Job>;
  readonly everyMs: number;
}

/** Events say when to look; looking at times as well makes up for events that were lost with a connection. */
function collect({ queue, events, waiting, everyMs }: Collecting, { ended, signal }: Watch): Promise<void> {
  return new Promise((resolve, reject) => {
    const look = async (id: string): Promise<void> => {
      const job = waiting.get(id);
      if (job === undefined) return;
      const result = await resultOf(await queue.getJob(id), job);
      if (result === undefined || !waiting.delete(id)) return;
      ended(result);
      if (waiting.size === 0) settle(resolve);
    };
    const failed = (error: unknown): void => {
      settle(() => {
        reject(error instanceof Error ? error : new Error(String(error)));
      });
    };
    const lookAt = (ids: Iterable<string>): void => {
      for (const id of ids) look(id).catch(failed);
    };
    const timer = setInterval(() => {
      lookAt([...waiting.keys()]);
    }, everyMs);
    const stop = (): void => {
      settle(() => {
        reject(interrupted());
      });
    };
    const settle = (how: () => void): void => {
      clearInterval(timer);
      signal.removeEventListener('abort', stop);
      how();
    };
    signal.addEventListener('abort', stop);
    for (const event of ['completed', 'failed'] as const)
      events.on(event, ({ jobId }) => {
        lookAt([jobId]);
      });
    if (signal.aborted) stop();
    else if (waiting.size === 0) settle(resolve);
    else lookAt([...waiting.keys()]);
  });
}

/** How a job in the queue ended; undefined while it has not. */
async function resultOf(queued: QueuedJob | undefined, job: Job): Promise<JobResult | undefined> {
  const failed = (message: string): JobResult => ({
    ...identityOf(job),
    status: 'failed',
    error: { code: 'RUN_FAILED', message },
  });
  if (queued === undefined) return failed('the job was taken out of the queue by somebody else');
  const state = await queued.getState();
  if (state === 'failed') return failed(`the queue gave the job up: ${queued.failedReason}`);
  if (state !== 'completed') return undefined;
  const result = JobResult.safeParse(queued.returnvalue);
  if (result.data?.hash === job.hash) return { ...result.data, ...identityOf(job) };
  return failed('the worker returned no result of this job');
}

async function withdraw(queue: Queue, id: string): Promise<void> {
  const queued = await queue.getJob(id);
  // One that a worker has begun cannot be removed; its result waits for the next start.
  if (queued !== undefined && (await queued.getState()) === 'waiting')
    await queued.remove().catch(() => undefined);
}
