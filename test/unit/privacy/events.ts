import fc from 'fast-check';
import type { LedgerEntry, MechanismEvent } from '../../../shared/privacy/event.ts';
import { NoiseMultiplier, SamplingRate } from '../../../shared/units.ts';

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

/** Events that promise something. */
export const noisyEvents: fc.Arbitrary<MechanismEvent> = fc.oneof(
  multipliers.map(gaussian),
  fc.tuple(multipliers, rates).map(([z, q]) => sampled(z, q)),
);

/** Every kind of event. */
export const events: fc.Arbitrary<MechanismEvent> = fc.oneof(
  { weight: 4, arbitrary: noisyEvents },
  fc.constant(nonPrivate),
);

/** Ledgers of events that promise something; empty ones too. */
export const ledgers: fc.Arbitrary<readonly LedgerEntry[]> = fc.array(
  fc.record({ event: noisyEvents, count: fc.integer({ min: 1, max: 2000 }) }),
  { maxLength: 4 },
);

/** The same event with its noise multiplied. */
export function withMoreNoise(event: MechanismEvent, factor: number): MechanismEvent {
  if (event.type === 'non-private') return event;
  return { ...event, noiseMultiplier: NoiseMultiplier.parse(event.noiseMultiplier * factor) };
}
