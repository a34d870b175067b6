import { z } from 'zod';

const count = z.number().int().nonnegative();
const epsilon = z.number().nonnegative();

/**
 * Epsilon in nats as the canaries would measure it, with a 95 % interval. An estimate, never a bound. `void`: the held-out
 * canaries do not look like noise alone, so the figures mean nothing.
 */
const EpsilonEstimate = z.discriminatedUnion('status', [
  z.strictObject({ status: z.literal('measured'), epsilon, low: epsilon, high: epsilon }),
  z.strictObject({ status: z.literal('void'), epsilon, low: epsilon, high: epsilon, reason: z.string() }),
  z.strictObject({ status: z.literal('not-measured'), reason: z.string() }),
]);
export type EpsilonEstimate = z.infer<typeof EpsilonEstimate>;

/** What one adversary finds out about the canaries. */
const CanaryView = z.strictObject({
  /** From this round alone. */
  roundEstimate: EpsilonEstimate,
  /** From all rounds so far. */
  runEstimate: EpsilonEstimate,
  /** Lower bound on epsilon from all rounds so far; valid whatever the noise and the other users did, by the coins alone. */
  bound: z.strictObject({
    epsilon,
    /** Of this round's bound, in (0, 1): the bounds of all rounds and both views together hold at the declared confidence. */
    confidence: z.number().gt(0).lt(1),
    canaries: count,
    guesses: count,
    correct: count,
  }),
});
export type CanaryView = z.infer<typeof CanaryView>;

/** The random-direction canaries after a round: epsilon estimated and proven, beside the accounted one. */
export const CanaryReport = z.discriminatedUnion('status', [
  z.strictObject({
    status: z.literal('measured'),
    members: count,
    heldOut: count,
    coordinator: CanaryView,
    recipients: CanaryView,
  }),
  z.strictObject({ status: z.literal('not-measured'), reason: z.string() }),
]);
export type CanaryReport = z.infer<typeof CanaryReport>;

/** A view in which more is proven than was accounted for: the protection is broken. */
export const Alarm = z.strictObject({
  view: z.enum(['coordinator', 'recipients']),
  bound: epsilon,
  accounted: epsilon,
});
export type Alarm = z.infer<typeof Alarm>;
