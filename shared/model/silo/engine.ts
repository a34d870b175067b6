/**
 * Derivative of an objective by what a layer gives for one step's records: fills `out`, of the shape of `values`, and returns the
 * objective. By logits the shape is (numRecords, numClasses), of a sigmoid output about the pairs (0, z); by representations it is
 * (numRecords, inputs of the output layer).
 */
export type Slope = (values: Float32Array, out: Float32Array) => number;

/** Records under some parameters. */
export interface Forward {
  /** Shape (numParams,). */
  readonly parameters: Float32Array;
  /** Shape (numRecords, numFeatures), row-major. */
  readonly features: Float32Array;
}

/** What else there is to a derivative. */
export interface DerivativeOptions {
  /** Each record's share is scaled down to this L2 norm at most before they are added up. */
  readonly clipNorm?: number | undefined;
  /**
   * A second part of the objective, added to the first: one of representations, the inputs of the output layer. Where nothing below
   * that layer is trained they are the features, and the part has no derivative by parameters.
   */
  readonly byRepresentations?: Slope | undefined;
}

/**
 * A model with all of its parameters in one vector, forwards and backwards. Every silo-level objective is a function of the
 * logits and the representations, so an engine knows nothing of them; its providers must agree to float tolerance.
 */
export interface SiloEngine {
  readonly provider: 'general' | 'dense';
  readonly description: string;
  /** Logits, shape (numRecords, numClasses); of a sigmoid output the pairs (0, z). */
  logits(records: Forward): Float32Array;
  /**
   * Derivative by the parameters of an objective whose derivative by the logits `byLogits` knows, written to `out`, shape
   * (numParams,).
   */
  derivative(records: Forward, byLogits: Slope, out: Float64Array, options?: DerivativeOptions): void;
}

/** What one record's derivative of a norm is multiplied with, in [0, 1]; 0 where it is not finite. */
export function clippingFactor(norm: number, clipNorm: number): number {
  return Number.isFinite(norm) ? Math.min(1, clipNorm / norm) : 0;
}

/** What a slope fills. */
export function slopesOf(slope: Slope, values: Float32Array): Float32Array {
  const out = new Float32Array(values.length);
  slope(values, out);
  return out;
}
