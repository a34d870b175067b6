import { interrupted, type JobRoom, runJob } from './job-process.ts';
import type { Scheduler } from './scheduler.ts';

/** Runs so many jobs at once on this machine, each in a process of its own. */
export function localScheduler(atOnce: number, room: Omit<JobRoom, 'signal'>): Scheduler {
  return async (jobs, { ended, signal }) => {
    const fault = new AbortController();
    const anyStop = AbortSignal.any([signal, fault.signal]);
    const waiting = jobs.values();
    // The iterator is shared: each lane takes the next job when it is free.
    const lane = async (): Promise<void> => {
      for (const job of waiting) {
        if (anyStop.aborted) throw interrupted();
        ended(await runJob(job, { ...room, signal: anyStop }));
      }
    };
    const lanes = Array.from({ length: Math.min(atOnce, jobs.length) }, () =>
      lane().catch((error: unknown) => {
        fault.abort();
        throw error;
      }),
    );
    const outcomes = await Promise.allSettled(lanes);
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  };
}
