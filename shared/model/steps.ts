import type { Rng } from '../random/rng.ts';
import type { LocalPlan } from './local-trainer.ts';

/** The records of one local step: row numbers within the user's records, or all of them in row order. */
export type StepRows = Int32Array | 'all';

/** One user's share of a plan. */
export interface UserSteps {
  /** Records that take part, >= 0; without any there is no step. */
  readonly numRecords: number;
  readonly plan: LocalPlan;
  /** The user's own stream; asked for only when records are shuffled. */
  readonly rng: () => Rng;
}

/**
 * Walk through one user's local steps. With a numeric batch size every epoch shuffles the records afresh and its last
 * step takes what is left; a user whose records fit into one step is never shuffled, since their order does not matter.
 */
export function forEachStep(user: UserSteps, step: (epoch: number, rows: StepRows) => void): void {
  const { numRecords, plan } = user;
  const size = plan.batchSize === 'all' ? numRecords : plan.batchSize;
  if (numRecords === 0) return;
  if (size >= numRecords) {
    for (let epoch = 0; epoch < plan.epochs; epoch++) step(epoch, 'all');
    return;
  }
  const rng = user.rng();
  const order = Int32Array.from({ length: numRecords }, (_, row) => row);
  for (let epoch = 0; epoch < plan.epochs; epoch++) {
    shuffle(order, rng);
    for (let start = 0; start < numRecords; start += size) step(epoch, order.subarray(start, start + size));
  }
}

function shuffle(order: Int32Array, rng: Rng): void {
  for (let last = order.length - 1; last > 0; last--) {
    const other = Math.floor(rng.uniform() * (last + 1));
    const kept = order[last] ?? 0;
    order[last] = order[other] ?? 0;
    order[other] = kept;
  }
}
