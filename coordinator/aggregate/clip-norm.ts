import { z } from 'zod';
import { fractionWithin } from '../../shared/privacy/adaptive-clipping.ts';
import { adaptiveRelease, type Protection } from '../../shared/protocol/plan.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { ClipNorm } from '../../shared/units.ts';

/** How the clip norm follows a quantile of the users' update norms (Andrew et al. 2021, arXiv:1905.03871). */
export const AdaptiveClipping = z
  .strictObject({
    /** The share of users whose updates should be within C. */
    targetQuantile: z.number().gt(0).lt(1).default(0.5),
    /** A round multiplies C by at most e to the power of this. */
    learningRate: z.number().positive().default(0.2),
    /** Standard deviation of each site's noise on its count, in users; `bitStdDevFor` when left out. */
    bitStdDev: z.number().positive().optional(),
    /** C never leaves this range, parameter units. */
    minClipNorm: ClipNorm.prefault(0.001),
    maxClipNorm: ClipNorm.prefault(100),
  })
  .refine(({ minClipNorm, maxClipNorm }) => minClipNorm <= maxClipNorm, 'minClipNorm is above maxClipNorm');
export type AdaptiveClipping = z.infer<typeof AdaptiveClipping>;

/**
 * The standard deviation of the count's noise where none is given: 5 z users at each site. Whatever the sites' sizes, the
 * update's noise then grows by 0.5 percent, as it does with the paper's 0.05 M for a cohort of M = 100 z.
 */
export function bitStdDevFor(noiseMultiplier: number): number {
  return 5 * noiseMultiplier;
}

/** How a round clipped, and what the next one shall clip at. */
export type Clipping = NonNullable<RoundReport['clipping']>;

/**
 * C_(t+1) = C_t exp(-learningRate (fraction - targetQuantile)), within its range; undefined where the clip norm stays.
 * `mean` is the mean update with the noised count at its end, shape (numParams + 1,), parameter units.
 */
export function clippingAfter(
  protection: Protection,
  mean: Float64Array,
  options: AdaptiveClipping | undefined,
): Clipping | undefined {
  const release = adaptiveRelease(protection);
  if (!release || !options) return undefined;
  const fraction = fractionWithin(mean.at(-1) ?? 0, release);
  const moved = release.clipNorm * Math.exp(-options.learningRate * (fraction - options.targetQuantile));
  const next = Math.min(options.maxClipNorm, Math.max(options.minClipNorm, moved));
  return { clipNorm: release.clipNorm, fractionWithin: fraction, nextClipNorm: ClipNorm.parse(next) };
}

/** The protection of the round after one that clipped like this. */
export function protectionAfter(protection: Protection, clipping: Clipping | undefined): Protection {
  if (protection.type !== 'user-dp' || !clipping) return protection;
  return { ...protection, clipNorm: clipping.nextClipNorm };
}
