/**
 * Derivative of an objective by the logits of one step's records: fills `out`, shape (numRecords, numClasses) as `logits`, and
 * returns the objective. Of a sigmoid output both are about the pairs (0, z).
 */
export type Slope = (logits: Float32Array, out: Float32Array) => number;

/** Records under some parameters. */
export interface Forward {
  /** Shape (numParams,). */
  readonly parameters: Float32Array;
  /** Shape (numRecords, numFeatures), row-major. */
  readonly features: Float32Array;
}

/**
 * A model with all of its parameters in one vector, forwards and backwards. Every silo-level objective is a function of the
 * logits, so an engine knows nothing of them; its providers must agree to float tolerance.
 */
export interface SiloEngine {
  readonly provider: 'general' | 'dense';
  readonly description: string;
  /** Logits, shape (numRecords, numClasses); of a sigmoid output the pairs (0, z). */
  logits(records: Forward): Float32Array;
  /**
   * Derivative by the parameters of an objective whose derivative by the logits `slope` knows, written to `out`, shape
   * (numParams,). With a `clipNorm` each record's share of it is scaled down to that L2 norm at most before they are added up.
   */
  derivative(records: Forward, slope: Slope, out: Float64Array, clipNorm?: number): void;
}

/** What one record's derivative of a norm is multiplied with, in [0, 1]; 0 where it is not finite. */
export function clippingFactor(norm: number, clipNorm: number): number {
  return Number.isFinite(norm) ? Math.min(1, clipNorm / norm) : 0;
}
