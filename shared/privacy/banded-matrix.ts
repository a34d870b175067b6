import { z } from 'zod';

/**
 * A banded lower-triangular Toeplitz matrix C (rounds x rounds) whose inverse correlates a site's noise over rounds
 * (Choquette-Choo et al. 2023, arXiv:2306.08153), and how often one user may take part.
 */
export const BandedMatrix = z
  .strictObject({
    /** c_0 .. c_(b-1), the first column from the diagonal down; b is the number of bands. */
    coefficients: z.array(z.number().nonnegative()).min(1),
    rounds: z.number().int().positive(),
    /** Two rounds in which the same user takes part are at least this many rounds apart (1: every round). */
    minSeparation: z.number().int().positive(),
    maxParticipations: z.number().int().positive(),
  })
  .refine(
    ({ coefficients }) => (coefficients[0] ?? 0) > 0,
    'the first coefficient is the diagonal and must be > 0',
  )
  .refine(
    ({ coefficients, minSeparation }) => coefficients.length <= minSeparation,
    'more bands than rounds between two participations: then the columns of one user overlap',
  );
export type BandedMatrix = z.infer<typeof BandedMatrix>;
