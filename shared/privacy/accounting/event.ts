import { z } from 'zod';
import { assertNever } from '../../errors.ts';
import { NoiseMultiplier, SamplingRate } from '../../units.ts';
import { BandedMatrix } from '../banded-matrix.ts';

/**
 * What was released, with exactly what accounting needs and nothing else (the idea of Google's dp_accounting). Neighbouring
 * data sets differ by one user added or removed, with all of that user's records. An event kind is never removed and a
 * parameter's meaning never changes; an accountant that cannot interpret an event refuses it.
 */
const SingleEvent = z.discriminatedUnion('type', [
  /** Gaussian noise of standard deviation z * C on a sum of vectors of norm <= C. */
  z.strictObject({ type: z.literal('gaussian'), noiseMultiplier: NoiseMultiplier }),
  /** The same after each user took part by an independent secret coin of probability q. */
  z.strictObject({
    type: z.literal('poisson-subsampled-gaussian'),
    noiseMultiplier: NoiseMultiplier,
    samplingRate: SamplingRate,
  }),
  /**
   * Adaptive clipping's release: of the same drawn users, the noised sum (z_D = sigma / C) and the noised count of updates
   * within C (z_b = standard deviation over the sensitivity 1/2 of a centred bit).
   */
  z.strictObject({
    type: z.literal('adaptive-clipping'),
    updateNoiseMultiplier: NoiseMultiplier,
    quantileNoiseMultiplier: NoiseMultiplier,
    samplingRate: SamplingRate,
  }),
  /** All rounds of a banded matrix mechanism, paid when its first round is released; z is before the matrix's sensitivity. */
  z.strictObject({
    type: z.literal('banded-matrix'),
    noiseMultiplier: NoiseMultiplier,
    matrix: BandedMatrix,
  }),
  /** A later round of a banded matrix mechanism that the ledger has already paid; without it, unsupported. */
  z.strictObject({
    type: z.literal('banded-matrix-step'),
    noiseMultiplier: NoiseMultiplier,
    matrix: BandedMatrix,
  }),
  /** Something left without noise: epsilon is infinite. */
  z.strictObject({ type: z.literal('non-private') }),
]);
export type SingleEvent = z.infer<typeof SingleEvent>;

/** One event, several on the same users one after another, or one of them repeated. */
export type MechanismEvent =
  | SingleEvent
  | { readonly type: 'composition'; readonly events: readonly MechanismEvent[] }
  | { readonly type: 'repetition'; readonly event: MechanismEvent; readonly count: number };

export const MechanismEvent: z.ZodType<MechanismEvent> = z.lazy(() =>
  z.union([
    SingleEvent,
    z.strictObject({ type: z.literal('composition'), events: z.array(MechanismEvent).min(1) }),
    z.strictObject({
      type: z.literal('repetition'),
      event: MechanismEvent,
      count: z.number().int().positive(),
    }),
  ]),
);

/** A run-length entry of a ledger: `count` releases of the same event. */
export interface LedgerEntry {
  readonly event: MechanismEvent;
  /** Integer >= 1. */
  readonly count: number;
}

/**
 * The event of a release in which each user took part by an independent secret coin of probability q and noise of
 * standard deviation z * C went onto the sum; at q = 1 there is no coin.
 */
export function sampledGaussian(
  noiseMultiplier: NoiseMultiplier,
  samplingRate: SamplingRate,
): MechanismEvent {
  return samplingRate === 1
    ? { type: 'gaussian', noiseMultiplier }
    : { type: 'poisson-subsampled-gaussian', noiseMultiplier, samplingRate };
}

/**
 * The same event with all its noise multiplied by a factor > 0: more noise from other sites, or less influence of one user
 * (weight w is noise times 1 / w).
 */
export function withNoiseTimes(event: MechanismEvent, factor: number): MechanismEvent {
  const times = (z: NoiseMultiplier): NoiseMultiplier => NoiseMultiplier.parse(z * factor);
  switch (event.type) {
    case 'gaussian':
    case 'poisson-subsampled-gaussian':
    case 'banded-matrix':
    case 'banded-matrix-step':
      return { ...event, noiseMultiplier: times(event.noiseMultiplier) };
    case 'adaptive-clipping':
      return {
        ...event,
        updateNoiseMultiplier: times(event.updateNoiseMultiplier),
        quantileNoiseMultiplier: times(event.quantileNoiseMultiplier),
      };
    case 'composition':
      return { ...event, events: event.events.map((part) => withNoiseTimes(part, factor)) };
    case 'repetition':
      return { ...event, event: withNoiseTimes(event.event, factor) };
    case 'non-private':
      return event;
    default:
      return assertNever(event);
  }
}
