import { z } from 'zod';
import { assertNever, ParleyError } from '../shared/errors.ts';
import { noiseMultiplierFor } from '../shared/privacy/accounting/calibrate.ts';
import { isDivisible } from '../shared/privacy/adaptive-clipping.ts';
import { squareRootMatrix } from '../shared/privacy/banded-matrix.ts';
import { matrixSensitivity } from '../shared/privacy/banded-sensitivity.ts';
import type { Protection } from '../shared/protocol/plan.ts';
import { ClipNorm, Delta, Epsilon, NoiseMultiplier, SamplingRate } from '../shared/units.ts';
import { AdaptiveClipping, bitStdDevFor } from './aggregate/clip-norm.ts';

const count = z.number().int().positive();

interface Noise {
  readonly noiseMultiplier?: NoiseMultiplier | undefined;
  /** Solve the noise multiplier so that all rounds together stay within this epsilon at `delta`. */
  readonly epsilon?: number | undefined;
}

const eitherNoiseOrEpsilon = [
  ({ noiseMultiplier, epsilon }: Noise): boolean =>
    (noiseMultiplier === undefined) !== (epsilon === undefined),
  'give either noiseMultiplier or epsilon, not both',
] as const;

/** The promise as it is written down: the noise multiplier itself, or the epsilon that it must keep. */
export const ProtectionConfig = z.discriminatedUnion('type', [
  z
    .strictObject({
      type: z.literal('user-dp'),
      mode: z.literal('local').default('local'),
      clipNorm: ClipNorm,
      samplingRate: SamplingRate,
      delta: Delta,
      noiseMultiplier: NoiseMultiplier.optional(),
      /** The clip norm follows a quantile of the users' update norms, from `clipNorm` in round 0. */
      adaptiveClipping: AdaptiveClipping.optional(),
      /** Solve the noise multiplier so that all rounds together stay within this epsilon at `delta`. */
      epsilon: z.number().positive().optional(),
    })
    .refine(...eitherNoiseOrEpsilon)
    .refine(
      ({ clipNorm, adaptiveClipping: range }) =>
        !range || (range.minClipNorm <= clipNorm && clipNorm <= range.maxClipNorm),
      'clipNorm must lie between adaptiveClipping.minClipNorm and adaptiveClipping.maxClipNorm',
    ),
  z
    .strictObject({
      type: z.literal('user-dp-banded'),
      mode: z.literal('local').default('local'),
      clipNorm: ClipNorm,
      /** Each user takes part in one of this many rounds. */
      minSeparation: count,
      /** Rounds over which noise is correlated, at most `minSeparation`; as many as that allows when left out. */
      bands: count.optional(),
      delta: Delta,
      noiseMultiplier: NoiseMultiplier.optional(),
      epsilon: z.number().positive().optional(),
    })
    .refine(...eitherNoiseOrEpsilon)
    .refine(({ bands = 1, minSeparation }) => bands <= minSeparation, 'bands must be at most minSeparation'),
  z.strictObject({
    type: z.literal('none'),
    gridRange: ClipNorm.prefault(16),
    samplingRate: SamplingRate.prefault(1),
    delta: Delta.prefault(1e-6),
  }),
]);
export type ProtectionConfig = z.infer<typeof ProtectionConfig>;

/**
 * The protection of every plan of a run of `rounds` rounds. A target epsilon is solved on the safe side: the noise multiplier
 * returned never costs more.
 *
 * @throws CONFIG_INVALID when the count of adaptive clipping has too little noise; CALIBRATION_IMPOSSIBLE.
 */
export function promised(protection: ProtectionConfig, rounds: number): Protection {
  switch (protection.type) {
    case 'user-dp': {
      const { epsilon, noiseMultiplier, adaptiveClipping, ...rest } = protection;
      const { delta, samplingRate } = rest;
      const solved =
        noiseMultiplier ??
        noiseMultiplierFor({ epsilon: Epsilon.parse(epsilon), delta, rounds, samplingRate });
      if (!adaptiveClipping) return { ...rest, noiseMultiplier: solved };
      return { ...rest, noiseMultiplier: solved, adaptiveClipping: countOf(adaptiveClipping, solved) };
    }
    case 'user-dp-banded':
      return banded(protection, rounds);
    case 'none':
      return protection;
    default:
      return assertNever(protection);
  }
}

/** One Gaussian release of the whole matrix has to keep the target. */
function banded(
  protection: Extract<ProtectionConfig, { type: 'user-dp-banded' }>,
  rounds: number,
): Protection {
  const { epsilon, noiseMultiplier, minSeparation, bands, ...rest } = protection;
  const matrix = squareRootMatrix({ rounds, minSeparation, ...(bands !== undefined && { bands }) });
  if (noiseMultiplier !== undefined) return { ...rest, matrix, noiseMultiplier };
  const once = { epsilon: Epsilon.parse(epsilon), delta: rest.delta, rounds: 1 };
  const charged = noiseMultiplierFor({ ...once, samplingRate: SamplingRate.parse(1) });
  // Accounting divides by the sensitivity again, and that may round.
  const solved = charged * matrixSensitivity(matrix) * (1 + 1e-12);
  return { ...rest, matrix, noiseMultiplier: NoiseMultiplier.parse(solved) };
}

/** The count that every release shall hold beside the update. */
function countOf(
  { bitStdDev }: AdaptiveClipping,
  noiseMultiplier: NoiseMultiplier,
): { readonly bitStdDev: number } {
  const stdDev = bitStdDev ?? bitStdDevFor(noiseMultiplier);
  if (isDivisible({ noiseMultiplier, bitStdDev: stdDev })) return { bitStdDev: stdDev };
  throw new ParleyError(
    'CONFIG_INVALID',
    `protection.adaptiveClipping.bitStdDev is ${stdDev} users and the noise multiplier ${noiseMultiplier}: the count alone would ` +
      `cost more than the whole round; give more than ${noiseMultiplier / 2}, or leave it out for ${bitStdDevFor(noiseMultiplier)}`,
  );
}
