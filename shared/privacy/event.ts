import { z } from 'zod';
import { NoiseMultiplier, SamplingRate } from '../units.ts';

/**
 * What was released, with exactly what accounting needs and nothing else (the idea of Google's dp_accounting). Neighbouring
 * data sets differ by one user added or removed, with all of that user's records. An event kind is never removed and a
 * parameter's meaning never changes; an accountant that cannot interpret an event refuses it.
 */
export const MechanismEvent = z.discriminatedUnion('type', [
  /** Gaussian noise of standard deviation z * C on a sum of vectors of norm <= C. */
  z.strictObject({ type: z.literal('gaussian'), noiseMultiplier: NoiseMultiplier }),
  /** The same after each user took part by an independent secret coin of probability q. */
  z.strictObject({
    type: z.literal('poisson-subsampled-gaussian'),
    noiseMultiplier: NoiseMultiplier,
    samplingRate: SamplingRate,
  }),
  /** Something left without noise: epsilon is infinite. */
  z.strictObject({ type: z.literal('non-private') }),
]);
export type MechanismEvent = z.infer<typeof MechanismEvent>;

/** A run-length entry of a ledger: `count` releases of the same event. */
export interface LedgerEntry {
  readonly event: MechanismEvent;
  /** Integer >= 1. */
  readonly count: number;
}

/**
 * The event of a release in which each user took part by an independent secret coin of probability q and noise of
 * standard deviation z * C went onto the sum; at q = 1 there is no coin.
 */
export function sampledGaussian(
  noiseMultiplier: NoiseMultiplier,
  samplingRate: SamplingRate,
): MechanismEvent {
  return samplingRate === 1
    ? { type: 'gaussian', noiseMultiplier }
    : { type: 'poisson-subsampled-gaussian', noiseMultiplier, samplingRate };
}
