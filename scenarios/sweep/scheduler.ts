import type { Job } from './jobs.ts';
import type { JobResult } from './result.ts';

/** What a scheduler tells and is told while jobs run. */
export interface Watch {
  /** A job has ended; called once for each, in the order in which they end. */
  readonly ended: (result: JobResult) => void;
  /** Stops the jobs that run and begins no other. */
  readonly signal: AbortSignal;
}

/**
 * Run jobs, wherever that is, and resolve when all have ended. A job that fails has a result that says so. Where and in which
 * order jobs run changes no figure.
 *
 * @throws INTERRUPTED when the signal aborts first; what makes all further work impossible.
 */
export type Scheduler = (jobs: readonly Job[], watch: Watch) => Promise<void>;
