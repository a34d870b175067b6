import fc from 'fast-check';
import type { LedgerEntry, MechanismEvent } from '../../../../shared/privacy/accounting/event.ts';
import { NoiseMultiplier, SamplingRate } from '../../../../shared/units.ts';

/** Releases with plain noise. */
export function gaussian(noiseMultiplier: number): MechanismEvent {
  return { type: 'gaussian', noiseMultiplier: NoiseMultiplier.parse(noiseMultiplier) };
}

/** Releases after independent coins of probability q. */
export function sampled(noiseMultiplier: number, samplingRate: number): MechanismEvent {
  return {
    type: 'poisson-subsampled-gaussian',
    noiseMultiplier: NoiseMultiplier.parse(noiseMultiplier),
    samplingRate: SamplingRate.parse(samplingRate),
  };
}

export const nonPrivate: MechanismEvent = { type: 'non-private' };

const multipliers = fc.double({ min: 0.3, max: 20, noNaN: true });
const rates = fc.oneof(fc.double({ min: 1e-4, max: 1, noNaN: true }), fc.constant(1));

const adaptive = fc.tuple(multipliers, multipliers, rates).map(
  ([update, quantile, rate]): MechanismEvent => ({
    type: 'adaptive-clipping',
    updateNoiseMultiplier: NoiseMultiplier.parse(update),
    quantileNoiseMultiplier: NoiseMultiplier.parse(quantile),
    samplingRate: SamplingRate.parse(rate),
  }),
);

/** Whole runs of a banded matrix; their later rounds cost nothing and come only after them, so they are left to tests of that. */
const matrices = fc
  .record({
    noiseMultiplier: multipliers.map((z) => NoiseMultiplier.parse(z)),
    coefficients: fc.array(fc.double({ min: 0.1, max: 1, noNaN: true }), { minLength: 1, maxLength: 4 }),
    rounds: fc.integer({ min: 1, max: 30 }),
    maxParticipations: fc.integer({ min: 1, max: 5 }),
    gap: fc.integer({ min: 0, max: 5 }),
  })
  .map(
    ({ noiseMultiplier, coefficients, rounds, maxParticipations, gap }): MechanismEvent => ({
      type: 'banded-matrix',
      noiseMultiplier,
      matrix: { coefficients, rounds, maxParticipations, minSeparation: coefficients.length + gap },
    }),
  );

const single = fc.oneof(
  { weight: 2, arbitrary: multipliers.map(gaussian) },
  { weight: 4, arbitrary: fc.tuple(multipliers, rates).map(([z, q]) => sampled(z, q)) },
  adaptive,
  matrices,
);

/** Events that promise something. */
export const noisyEvents: fc.Arbitrary<MechanismEvent> = fc.oneof(
  { weight: 6, arbitrary: single },
  fc
    .array(single, { minLength: 1, maxLength: 3 })
    .map((parts): MechanismEvent => ({ type: 'composition', events: parts })),
  fc
    .tuple(single, fc.integer({ min: 1, max: 9 }))
    .map(([event, count]): MechanismEvent => ({ type: 'repetition', event, count })),
);

/** Every kind of event. */
export const events: fc.Arbitrary<MechanismEvent> = fc.oneof(
  { weight: 4, arbitrary: noisyEvents },
  fc.constant(nonPrivate),
);

/** Subsampled rounds as plans have them. Distributions of stranger events take seconds each. */
export const commonRounds: fc.Arbitrary<MechanismEvent> = fc
  .tuple(fc.double({ min: 0.8, max: 5, noNaN: true }), fc.double({ min: 0.01, max: 0.5, noNaN: true }))
  .map(([z, q]) => sampled(z, q));

/** Ledgers of one or two runs of such rounds, or of none, for properties that ask for many distributions. */
export const commonLedgers: fc.Arbitrary<readonly LedgerEntry[]> = fc.array(
  fc.record({ event: commonRounds, count: fc.integer({ min: 1, max: 60 }) }),
  { maxLength: 2 },
);

/** Ledgers of events that promise something; empty ones too. */
export const ledgers: fc.Arbitrary<readonly LedgerEntry[]> = fc.array(
  fc.record({ event: noisyEvents, count: fc.integer({ min: 1, max: 2000 }) }),
  { maxLength: 4 },
);
