import type { Worker } from 'node:worker_threads';
import type { DenseLayer } from '../dense-layers.ts';
import { startWorker } from './start-worker.ts';
import type { Assignment, Crew, GroupDone, GroupResult, RoundWork, WorkerOrder } from './work.ts';

/** Groups that a worker has at a time: one to train, one that waits, so that it never does. */
const groupsAtOnce = 2;

/**
 * Trains in so many worker threads, each with kernels and memory of its own, started when the first assignment comes. Results
 * are taken in the order of the groups, so they do not depend on the number of workers or on who is faster.
 */
export function workerCrew(layers: readonly DenseLayer[], numWorkers: number): Crew {
  let workers: readonly Worker[] = [];
  return {
    train: async (assignment) => {
      if (workers.length === 0) workers = Array.from({ length: numWorkers }, startWorker);
      try {
        for (const worker of workers) worker.ref();
        const round = shareRound(assignment.round);
        for (const worker of workers) post(worker, { type: 'round', layers, round });
        await trainBy(workers, assignment);
      } catch (error) {
        // What its threads still do belongs to nobody; the next assignment gets new ones.
        await Promise.all(workers.map((worker) => worker.terminate()));
        workers = [];
        throw error;
      } finally {
        for (const worker of workers) {
          // By name: the thread's own bookkeeping hangs on others.
          for (const event of ['message', 'error', 'exit']) worker.removeAllListeners(event);
          worker.unref();
        }
      }
    },
  };
}

function trainBy(workers: readonly Worker[], { numGroups, workOf, take }: Assignment): Promise<void> {
  const busy = new Map<Worker, number>(workers.map((worker) => [worker, 0]));
  const done = new Map<number, GroupResult>();
  let given = 0;
  let taken = 0;
  const give = (): void => {
    for (let round = 1; round <= groupsAtOnce; round++) {
      for (const worker of workers) {
        // Results that wait for a slower group take room, so nobody runs far ahead.
        const isFar = given - taken >= 2 * groupsAtOnce * workers.length;
        if (given === numGroups || isFar || (busy.get(worker) ?? 0) >= round) continue;
        post(worker, { type: 'group', index: given, work: workOf(given) });
        busy.set(worker, (busy.get(worker) ?? 0) + 1);
        given += 1;
      }
    }
  };
  const takeReady = (): void => {
    for (let result = done.get(taken); result !== undefined; result = done.get(taken)) {
      take(taken, result);
      done.delete(taken);
      taken += 1;
    }
  };
  return new Promise((resolve, reject) => {
    for (const worker of workers) {
      worker.on('error', reject);
      worker.on('exit', () => {
        reject(new Error('a training thread ended before its work was done'));
      });
      worker.on('message', ({ index, result }: GroupDone) => {
        busy.set(worker, (busy.get(worker) ?? 1) - 1);
        done.set(index, result);
        try {
          takeReady();
          give();
        } catch (error) {
          reject(error instanceof Error ? error : new Error(String(error)));
        }
        if (taken === numGroups) resolve();
      });
    }
    give();
    if (numGroups === 0) resolve();
  });
}

function post(worker: Worker, order: WorkerOrder): void {
  worker.postMessage(order);
}

/** Copies of arrays in memory that threads share, made once for as long as the original lives. */
const copies = new WeakMap<Float32Array | Int32Array, Float32Array | Int32Array>();

function shareRound(round: RoundWork): RoundWork {
  return {
    ...round,
    features: shared(round.features, (buffer) => new Float32Array(buffer)),
    labels: shared(round.labels, (buffer) => new Int32Array(buffer)),
  };
}

function shared<T extends Float32Array | Int32Array>(values: T, view: (buffer: SharedArrayBuffer) => T): T {
  if (values.buffer instanceof SharedArrayBuffer) return values;
  const kept = copies.get(values);
  if (kept !== undefined) return kept as T;
  const copy = view(new SharedArrayBuffer(values.byteLength));
  copy.set(values);
  copies.set(values, copy);
  return copy;
}
