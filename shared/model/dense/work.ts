import type { DenseLayer } from '../dense-layers.ts';
import type { LocalPlan } from '../local-trainer.ts';
import type { DrawnChanges } from './drawn-changes.ts';

/** What all groups of a round share; plain data, so that it can go to a worker. */
export interface RoundWork {
  /** Received parameters, shape (numParams,). */
  readonly parameters: Float32Array;
  /** Shape (numParams,), 0 for parameters that stay as received; undefined where all are trained. */
  readonly flags: Uint8Array | undefined;
  /** The shard's features, shape (records, numFeatures), and labels. */
  readonly features: Float32Array;
  readonly labels: Int32Array;
  readonly plan: LocalPlan;
  readonly round: number;
  readonly clipNorm: number | 'unbounded';
}

/** A group's part of the result. */
export interface GroupResult {
  /** Weighted sum of its users' clipped updates, shape (numParams,). */
  readonly sum: Float64Array<ArrayBuffer>;
  /** Norm of each user's update before clipping; NaN when the update was not finite and counts as zero. */
  readonly norms: Float64Array<ArrayBuffer>;
}

/** A group with everything about its users that training needs; plain data, so that it can go to a worker. */
export interface GroupWork {
  readonly numSteps: number;
  /** Whether each layer is in factored form. */
  readonly factored: readonly boolean[];
  /** First row of each user's records in the shard and how many take part. */
  readonly starts: Int32Array;
  readonly counts: Int32Array;
  /** Which of a user's records each row of her steps takes, all steps and users in a row; undefined when steps take all. */
  readonly orders: Int32Array | undefined;
  /** What steps train on instead of records, where the defence changes these; undefined where it does not. */
  readonly changes: DrawnChanges | undefined;
  /** Weight of each user's clipped update in the sum. */
  readonly weights: Float64Array;
}

/** One round's groups, to be trained by somebody. */
export interface Assignment {
  readonly round: RoundWork;
  readonly numGroups: number;
  /** What a group needs; asked for once each, in ascending order. */
  readonly workOf: (index: number) => GroupWork;
  /** Gets every group's result, in ascending order. */
  readonly take: (index: number, result: GroupResult) => void;
}

/** Who trains groups: this thread or several others. The results are the same to the bit. */
export interface Crew {
  readonly train: (assignment: Assignment) => Promise<void>;
}

/** To a worker thread: the round that starts, or one of its groups. A trainer's workers know one model. */
export type WorkerOrder =
  | { readonly type: 'round'; readonly layers: readonly DenseLayer[]; readonly round: RoundWork }
  | { readonly type: 'group'; readonly index: number; readonly work: GroupWork };

/** From a worker thread. */
export interface GroupDone {
  readonly index: number;
  readonly result: GroupResult;
}
