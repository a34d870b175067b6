import { z } from 'zod';

/**
 * The model that is attacked and handed over is a student: it has learnt what the rounds' models answer to public records, and nothing
 * else (Hinton, Vinyals and Dean 2015; for privacy, Shejwalkar and Houmansadr 2021). Post-processing of what DP released: it costs no
 * epsilon.
 */
export const Distillation = z.strictObject({
  /** Both answers are softened: softmax(logits / temperature). */
  temperature: z.number().positive().default(1),
  /** Share of the public records that is used: those on which the round's model has least entropy. */
  keep: z.number().gt(0).lte(1).default(1),
  /** Passes of the student in a round; it goes on from the round before. */
  epochs: z.number().int().positive().default(1),
  /** Public records in a step. */
  batchSize: z.union([z.literal('all'), z.number().int().positive()]).default(32),
  learningRate: z.number().positive(),
});
export type Distillation = z.infer<typeof Distillation>;
