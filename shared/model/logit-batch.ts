/** The logits and labels of one step. */
export interface LogitBatch {
  /** Shape (numRecords, numClasses), row-major; for a sigmoid output the pairs (0, z). */
  readonly logits: Float32Array;
  /** Shape (numRecords,), class indices. */
  readonly labels: Int32Array;
  readonly numRecords: number;
  readonly numClasses: number;
  /** Where records are mixed: each one's second class, shape (numRecords,), and the share of the first, in [0, 1]. */
  readonly mixed?: Mixed | undefined;
}

/** Second classes of mixed records. */
export interface Mixed {
  readonly partners: Int32Array;
  readonly share: number;
}
