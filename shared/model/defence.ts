import { z } from 'zod';

/**
 * An empirical defence in local training, as data. None of them changes epsilon, and none protects the worst case
 * (Aerni et al. 2024, arXiv:2404.17399); reports show the most vulnerable users beside the average.
 */
export const Defence = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('none') }),
  z.strictObject({
    type: z.literal('relaxloss'),
    /** Target loss in nats. */
    alpha: z.number().nonnegative(),
    /** Cap on the true class's probability inside the soft target, in (0, 1]; 1 leaves it alone. */
    upper: z.number().gt(0).lte(1).default(1),
    /** The two losses that the authors' code ships. */
    variant: z.enum(['cifar', 'tabular']).default('tabular'),
    /** false follows the authors' code, true the re-implementation of Aerni et al. */
    detachTargets: z.boolean().default(false),
    /** What alternates ascent and flattening; `round` is right when there is one local epoch. */
    parity: z.enum(['round', 'epoch']).default('round'),
  }),
]);
export type Defence = z.infer<typeof Defence>;
