import { z } from 'zod';

/**
 * The model that is attacked and handed over is an average of the models that rounds train from (Polyak and Juditsky 1992; exponential as
 * usual in deep learning). Post-processing of what DP released: it costs no epsilon.
 */
export const Averaging = z.strictObject({
  /** What a round leaves of the earlier average, in [0, 1]; 1 is the mean of all rounds' models. */
  decay: z.number().min(0).max(1).default(0.9),
});
export type Averaging = z.infer<typeof Averaging>;

/**
 * The average after one more round: decay * average + (1 - decay) * newest, shapes (numParams,). In early rounds the newest counts
 * 1 / numRounds (with it) where that is more, so that the initial model has no part.
 */
export function averaged(
  average: Float32Array,
  newest: Float32Array,
  { decay }: Averaging,
  numRounds: number,
): Float32Array {
  const share = Math.max(1 - decay, 1 / numRounds);
  return newest.map((value, i) => share * value + (1 - share) * (average[i] ?? 0));
}
