import { ParleyError } from '../../shared/errors.ts';

/** What of BullMQ and ioredis is used, so that both may be missing; a test holds it against their own types. */
export interface BullMq {
  readonly Queue: new (name: string, options: Connecting) => Queue;
  readonly QueueEvents: new (name: string, options: Connecting) => QueueEvents;
  readonly Worker: new (name: string, work: Work, options: Connecting & Working) => Worker;
  /** Thrown by work that has put its job back. */
  readonly WaitingError: new () => Error;
}

/** The one class of ioredis that is used. */
export interface IoRedis {
  readonly Redis: new (
    url: string,
    options: { lazyConnect: boolean; retryStrategy: () => null },
  ) => {
    connect(): Promise<void>;
    disconnect(): void;
    on(event: 'error', heard: (error: Error) => void): unknown;
  };
}

/** How queues connect; `prefix` begins the keys of all of them. */
export interface Connecting {
  readonly connection: { url: string; maxRetriesPerRequest: null };
  readonly prefix: string;
}

/** A worker's options; times in milliseconds. */
interface Working {
  readonly concurrency: number;
  readonly lockDuration: number;
  readonly stalledInterval: number;
  readonly maxStalledCount: number;
}

/** Does a job and gives its result, which must be JSON; `token` proves that this worker has it. */
export type Work = (job: QueuedJob, token?: string) => Promise<unknown>;

export interface QueuedJob {
  readonly data: unknown;
  readonly returnvalue: unknown;
  readonly failedReason: string;
  getState(): Promise<string>;
  remove(): Promise<unknown>;
  moveToWait(token?: string): Promise<unknown>;
}

export interface Queue {
  add(
    name: string,
    data: unknown,
    options: { jobId: string; removeOnComplete: { age: number }; removeOnFail: { age: number } },
  ): Promise<unknown>;
  getJob(id: string): Promise<QueuedJob | undefined>;
  close(): Promise<unknown>;
  on(event: 'error', heard: (error: Error) => void): unknown;
}

export interface QueueEvents {
  on(event: 'completed' | 'failed', heard: (about: { jobId: string }) => void): unknown;
  on(event: 'error', heard: (error: Error) => void): unknown;
  close(): Promise<unknown>;
}

export interface Worker {
  on(event: 'error', heard: (error: Error) => void): unknown;
  close(): Promise<unknown>;
}

/** Load BullMQ. Throws BACKEND_UNAVAILABLE saying what to install, also when ioredis is missing. */
export async function loadQueueLibrary(): Promise<{ bullmq: BullMq; ioredis: IoRedis }> {
  return {
    bullmq: await optionalPackage<BullMq>('bullmq'),
    ioredis: await optionalPackage<IoRedis>('ioredis'),
  };
}

/** An optional package, with the interface that the caller knows of it. Throws BACKEND_UNAVAILABLE when it is not installed. */
export async function optionalPackage<T>(name: string): Promise<T> {
  try {
    return (await import(name)) as T;
  } catch (cause) {
    throw new ParleyError(
      'BACKEND_UNAVAILABLE',
      `the package ${name} does not load (${cause instanceof Error ? cause.message : String(cause)}): --redis needs the optional packages bullmq and ioredis; \`npm ci\` installs them unless optional packages are left out, or leave --redis away`,
      { cause },
    );
  }
}
