/**
 * Confidence at which round 0, 1, 2, ... may be judged, so that the chance of an error in any round of a run, however long,
 * is at most 1 - confidence: round t spends 6 (1 - confidence) / (pi^2 (t + 1)^2), and the sum over all t is
 * 1 - confidence. No assumption about how rounds depend on each other. `confidence` in (0, 1), `round` >= 0; the result is
 * in (0, 1), and never falls with the round. Throws RangeError outside these ranges.
 */
export function roundConfidence(confidence: number, round: number): number {
  if (!(confidence > 0 && confidence < 1))
    throw new RangeError(`confidence must lie in (0, 1), not ${confidence}`);
  if (!Number.isSafeInteger(round) || round < 0)
    throw new RangeError(`rounds are counted from 0; ${round} is none`);
  const spent = (6 * (1 - confidence)) / (Math.PI ** 2 * (round + 1) ** 2);
  // Nothing is known for sure, after a hundred million rounds either.
  return Math.min(1 - Number.EPSILON / 2, 1 - spent);
}
