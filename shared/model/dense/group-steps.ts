import type { Arena } from '../kernels/arena.ts';
import type { LocalPlan } from '../local-trainer.ts';
import { type GroupStep, rowsOf, startOf } from './form.ts';
import type { GroupWork } from './work.ts';

/** First row of each user when they stand one after another, shape (users + 1,). */
export function offsetsOf(counts: ArrayLike<number>): Int32Array {
  const offsets = new Int32Array(counts.length + 1);
  for (let user = 0; user < counts.length; user++)
    offsets[user + 1] = (offsets[user] ?? 0) + (counts[user] ?? 0);
  return offsets;
}

/** Walks through a group's local steps; all its users have equally many. */
export function* groupSteps(
  arena: Arena,
  work: GroupWork,
  plan: LocalPlan,
): Generator<{ readonly epoch: number; readonly step: GroupStep }> {
  const records = offsetsOf(work.counts);
  const stepsPerEpoch = work.numSteps / plan.epochs;
  const room = work.orders === undefined ? 0 : arena.take(4 * startOf(records, work.counts.length));
  for (let index = 0; index < work.numSteps; index++) {
    const epoch = Math.floor(index / stepsPerEpoch);
    if (work.orders === undefined || plan.batchSize === 'all') {
      const numRows = startOf(records, work.counts.length);
      yield { epoch, step: { index, numRows, offsets: records, picked: undefined } };
    } else {
      const size = plan.batchSize;
      const skipped = (index % stepsPerEpoch) * size;
      const taken = work.counts.map((count) => Math.min(count - skipped, size));
      const offsets = offsetsOf(taken);
      const picked = pick(work.orders, { epochs: plan.epochs, epoch, skipped }, records, offsets);
      arena.integers(room, picked.length).set(picked);
      yield {
        epoch,
        step: { index, numRows: picked.length, offsets, picked: { records: picked, at: room } },
      };
    }
  }
}

/** Which of the group's records a step takes, from every user's own order. */
function pick(
  orders: Int32Array,
  { epochs, epoch, skipped }: { readonly epochs: number; readonly epoch: number; readonly skipped: number },
  records: Int32Array,
  offsets: Int32Array,
): Int32Array {
  const numUsers = offsets.length - 1;
  const picked = new Int32Array(startOf(offsets, numUsers));
  for (let user = 0; user < numUsers; user++) {
    const first = startOf(records, user);
    const from = epochs * first + epoch * rowsOf(records, user) + skipped;
    const start = startOf(offsets, user);
    for (let row = 0; row < rowsOf(offsets, user); row++)
      picked[start + row] = first + (orders[from + row] ?? 0);
  }
  return picked;
}
