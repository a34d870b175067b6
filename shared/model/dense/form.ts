import type { Rows } from '../kernels/arena.ts';
import type { Machine, SharedLayer } from './layers.ts';

/** The rows of one local step, those of a group's users one after another. */
export interface GroupStep {
  /** Counted from 0. */
  readonly index: number;
  readonly numRows: number;
  /** First row of each user, shape (users + 1,). */
  readonly offsets: Int32Array;
  /**
   * Which of the group's records each row is, shape (numRows,), and where the kernels find the same; left out when a step
   * takes all records in order.
   */
  readonly picked: { readonly records: Int32Array; readonly at: number } | undefined;
}

/** One layer of a group of users who train at once from the same received weights. */
export interface LayerForm {
  /** `output` = pre-activations of the step's rows under each user's own weights. `input` may be overwritten afterwards. */
  readonly forward: (step: GroupStep, input: Rows, output: Rows) => void;
  /** `below` = derivative by the layer's input, from the one at its pre-activations. */
  readonly backward: (step: GroupStep, gradient: Rows, below: Rows) => void;
  /** Moves each user's weights. `input` and `gradient` stay until the update is taken when this was the only step. */
  readonly descend: (step: GroupStep, input: Rows, gradient: Rows) => void;
  /** Size of one user's update after the last step. */
  readonly measure: (user: number) => UpdateSize;
  /** Notes, right after `measure`, that the user's update enters the sum times a factor; 0 leaves it out whatever it holds. */
  readonly add: (user: number, factor: number) => void;
  /** Completes the sum. */
  readonly finish: () => void;
}

/** How large one user's update is in one layer. */
export interface UpdateSize {
  readonly squaredNorm: number;
  /** Sum of the norms of the terms that the update consists of, where it has not been formed; else 0. */
  readonly mass: number;
}

/** What every form of a layer works with. */
export interface LayerRoom extends Machine {
  readonly shared: SharedLayer;
  /** Where the sum of updates stands. */
  readonly sum: number;
  readonly numUsers: number;
  readonly numSteps: number;
  /** First record of each user among the group's records, shape (users + 1,). */
  readonly records: Int32Array;
  readonly learningRate: number;
  /** What a step of weight decay leaves of a weight: 1 - learningRate * l2. */
  readonly decay: number;
}

/** Where row number `index` stands. */
export function rowAt(rows: Rows, index: number): number {
  return rows.at + index * rows.row;
}

/** Most rows that one user has, from the users' offsets. */
export function mostRows(offsets: Int32Array): number {
  let most = 0;
  for (let user = 1; user < offsets.length; user++) most = Math.max(most, rowsOf(offsets, user - 1));
  return most;
}

/** Number of rows of one user. */
export function rowsOf(offsets: Int32Array, user: number): number {
  return startOf(offsets, user + 1) - startOf(offsets, user);
}

/** First row of one user. */
export function startOf(offsets: Int32Array, user: number): number {
  return offsets[user] ?? 0;
}
