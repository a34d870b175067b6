import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { z } from 'zod';
import type { BandedMatrix } from '../../../shared/privacy/banded-matrix.ts';

/** Coefficients that never rise, from a diagonal of ordinary size. */
export const coefficients: fc.Arbitrary<number[]> = fc
  .tuple(
    fc.double({ min: 0.2, max: 3, noNaN: true }),
    fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 5 }),
  )
  .map(([diagonal, others]) => [diagonal, ...others.sort((a, b) => b - a).map((share) => share * diagonal)]);

/** Matrices small enough to try every pattern of participations. */
export const smallMatrices: fc.Arbitrary<BandedMatrix> = fc
  .record({
    coefficients,
    rounds: fc.integer({ min: 1, max: 12 }),
    gap: fc.integer({ min: 0, max: 3 }),
    maxParticipations: fc.integer({ min: 1, max: 5 }),
  })
  .map(({ gap, ...matrix }) => ({ ...matrix, minSeparation: matrix.coefficients.length + gap }));

/** C itself, row by row. */
export function dense({ coefficients: column, rounds }: BandedMatrix): number[][] {
  return Array.from({ length: rounds }, (_, row) =>
    Array.from({ length: rounds }, (_value, j) => (row < j ? 0 : (column[row - j] ?? 0))),
  );
}

const Vectors = z.object({
  squareRoot: z.array(z.number()),
  inverseOfSquareRootOf5Bands: z.array(z.number()),
  sensitivities: z.array(
    z.object({
      coefficients: z.array(z.number()),
      rounds: z.number(),
      minSeparation: z.number(),
      maxParticipations: z.number(),
      sensitivity: z.number(),
    }),
  ),
  errors: z.array(
    z.object({
      rounds: z.number(),
      bands: z.number(),
      meanSquaredError: z.number(),
      timesSensitivitySquared: z.number(),
      optimisedTimesSensitivitySquared: z.number(),
    }),
  ),
});

/** What jax-privacy computes (test/vectors/make-banded.py). */
export const vectors = Vectors.parse(
  JSON.parse(readFileSync(new URL('../../vectors/banded-matrix.json', import.meta.url), 'utf8')),
);
