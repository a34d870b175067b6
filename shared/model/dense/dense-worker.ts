import { parentPort } from 'node:worker_threads';
import { type Engine, engineMaker } from './engine.ts';
import type { GroupDone, WorkerOrder } from './work.ts';

/** The program of a worker thread: trains the groups of the newest round it was told of. */
let engine: Engine | undefined;
let makeEngine: ReturnType<typeof engineMaker> | undefined;

parentPort?.on('message', (order: WorkerOrder) => {
  if (order.type === 'round') {
    makeEngine ??= engineMaker(order.layers);
    engine = makeEngine(order.round);
    return;
  }
  const result = engine?.train(order.work);
  if (result === undefined) throw new Error('a group came before its round');
  const done: GroupDone = { index: order.index, result };
  parentPort?.postMessage(done, [result.sum.buffer, result.norms.buffer]);
});
