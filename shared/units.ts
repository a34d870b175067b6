import { z } from 'zod';

/**
 * Quantities that could be mixed up, as branded numbers. Arithmetic yields plain numbers, so every conversion from one
 * quantity to another happens in exactly one named function.
 */

/** Privacy loss epsilon in nats, >= 0; Infinity where nothing is promised. Never reported without its delta. */
export const Epsilon = z.union([z.number().nonnegative(), z.literal(Infinity)]).brand<'Epsilon'>();
export type Epsilon = z.infer<typeof Epsilon>;

/** Probability delta of (epsilon, delta)-differential privacy, in (0, 1). */
export const Delta = z.number().gt(0).lt(1).brand<'Delta'>();
export type Delta = z.infer<typeof Delta>;

/**
 * Clip norm C: L2 bound on one user's update, parameter units, 2^-100 to 2^100. Near the ends of float64 the factor that clips would
 * lose its bits, and the clipped update could be longer than C.
 */
export const ClipNorm = z
  .number()
  .min(2 ** -100)
  .max(2 ** 100)
  .brand<'ClipNorm'>();
export type ClipNorm = z.infer<typeof ClipNorm>;

/** Noise multiplier z = sigma / C, dimensionless, > 0. */
export const NoiseMultiplier = z.number().positive().brand<'NoiseMultiplier'>();
export type NoiseMultiplier = z.infer<typeof NoiseMultiplier>;

/** Sampling rate q in (0, 1]: the probability of each user's own independent coin. */
export const SamplingRate = z.number().gt(0).lte(1).brand<'SamplingRate'>();
export type SamplingRate = z.infer<typeof SamplingRate>;

/** Round number, counted from 0. The model of version r is the input of round r. */
export const RoundIndex = z.number().int().nonnegative().brand<'RoundIndex'>();
export type RoundIndex = z.infer<typeof RoundIndex>;

/** Seed of a scenario, an integer >= 1 (tfjs takes 0 for "no seed", so 0 is never a seed here). */
export const Seed = z.number().int().positive().brand<'Seed'>();
export type Seed = z.infer<typeof Seed>;

const name = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, 'letters, digits, dot, dash and underscore, at most 64');

/** Identifies one run of one federation. */
export const RunId = name.brand<'RunId'>();
export type RunId = z.infer<typeof RunId>;

/** Identifies one site: one data holder, one client. */
export const SiteId = name.brand<'SiteId'>();
export type SiteId = z.infer<typeof SiteId>;

/** SHA-256 as 64 lower-case hexadecimal digits. */
export const Sha256 = z
  .string()
  .regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits')
  .brand<'Sha256'>();
export type Sha256 = z.infer<typeof Sha256>;
