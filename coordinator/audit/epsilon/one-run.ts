import { ParleyError } from '../../../shared/errors.ts';
import { logGamma, regularisedBeta } from '../../../shared/stats/special.ts';
import { assertBoundOptions, assertCounts, type BoundOptions } from './options.ts';

/** One run in which an independent fair coin decided for each canary user whether it was included. Whole numbers. */
export interface OneRunAudit {
  /** All canaries, those without a guess too. */
  readonly canaries: number;
  /** Canaries that were guessed to be included or not; the number is fixed before the run. */
  readonly guesses: number;
  /** Guesses that were right, <= guesses <= canaries. */
  readonly correct: number;
}

/**
 * Epsilon lower bound (nats, >= 0) at a confidence from the canaries of one run (Steinke, Nasr, Jagielski 2023,
 * arXiv:2305.08846, Theorem 5.2): the smallest epsilon that the guesses do not refute at level 1 - confidence. Neighbouring:
 * add or remove one canary user. Valid whatever the guesses are made from, if the coins were fair and independent and the
 * number of guesses did not depend on the outcome. r guesses cannot show more than -ln((1 - confidence)^(-1/r) - 1).
 * Throws RangeError for impossible counts and options. O(guesses) for each of about 50 halvings.
 */
export function oneRunLowerBound(audit: OneRunAudit, options: BoundOptions): number {
  const { canaries, guesses: guessed, correct } = audit;
  assertBoundOptions(options);
  assertCounts('correct guesses and guesses of all canaries', correct, guessed, canaries);
  const logWays = logBinomials(guessed, correct);
  const refuted = (epsilon: number): boolean =>
    pValue(epsilon, { audit, delta: options.delta, logWays }) < 1 - options.confidence;
  if (correct === 0 || !refuted(0)) return 0;
  let low = 0;
  let high = 1;
  for (; refuted(high); high *= 2) low = high;
  while (high - low > resolution) {
    const middle = (low + high) / 2;
    if (refuted(middle)) low = middle;
    else high = middle;
  }
  return low;
}

/**
 * Guesses from scores of shape (numCanaries,), larger = more likely included: +1 (included) for the `perSide` largest, -1
 * (not included) for the `perSide` smallest, 0 (no guess) between; same shape. Among equal scores the earlier canary counts
 * as the larger one, so their order must not depend on the coins. `perSide` is fixed before the run. Throws CONFIG_INVALID
 * when there are fewer than 2 perSide canaries and NON_FINITE when a score is not a number.
 */
export function guesses(scores: Float64Array, perSide: number): Int8Array {
  assertCounts('guesses a side', perSide);
  if (2 * perSide > scores.length)
    throw new ParleyError(
      'CONFIG_INVALID',
      `${perSide} guesses a side need ${2 * perSide} canaries and there are ${scores.length}: ` +
        'declare more canaries or fewer guesses',
    );
  if (scores.some(Number.isNaN))
    throw new ParleyError(
      'NON_FINITE',
      'the score of a canary is not a number; scores must be comparable, so check the updates they come from',
    );
  const descending = Int32Array.from(scores, (_, canary) => canary).sort((a, b) => order(scores, a, b));
  const guessed = new Int8Array(scores.length);
  for (const canary of descending.subarray(0, perSide)) guessed[canary] = 1;
  for (const canary of descending.subarray(scores.length - perSide)) guessed[canary] = -1;
  return guessed;
}

/** Number of guesses that the coins confirm; both of shape (numCanaries,), and no guess counts as neither. */
export function correctGuesses(guessed: Int8Array, isMember: readonly boolean[] | Uint8Array): number {
  return guessed.reduce((sum, guess, canary) => sum + (guess === (isMember[canary] ? 1 : -1) ? 1 : 0), 0);
}

/** Nats; a bound is too low by at most that. */
const resolution = 1e-9;

/**
 * Probability, at most, of `correct` or more right guesses under (epsilon, delta)-DP:
 * beta + 2 m delta max over i of P[correct - i <= B < correct] / i, with B the number of heads of `guesses` coins of
 * probability 1 / (1 + e^-epsilon) and beta = P[B >= correct].
 */
function pValue(
  epsilon: number,
  { audit, delta, logWays }: { audit: OneRunAudit; delta: number; logWays: Float64Array },
): number {
  const { canaries, guesses: guessed, correct } = audit;
  const right = 1 / (1 + Math.exp(-epsilon));
  const atLeast = regularisedBeta(right, correct, guessed - correct + 1);
  if (delta === 0) return atLeast;
  const logRight = -Math.log1p(Math.exp(-epsilon));
  const logWrong = logRight - epsilon;
  let below = 0;
  let slope = 0;
  // A sum of probabilities is at most 1, so no later quotient is larger once steps * slope has come to 1.
  for (let steps = 1; steps <= correct && steps * slope < 1; steps++) {
    const heads = correct - steps;
    below += Math.exp((logWays[heads] ?? 0) + heads * logRight + (guessed - heads) * logWrong);
    slope = Math.max(slope, below / steps);
  }
  return atLeast + 2 * canaries * delta * slope;
}

/** Logarithm of the binomial coefficients (n choose k) for k = 0 .. last - 1, shape (last,). */
function logBinomials(n: number, last: number): Float64Array {
  const logFactorial = (k: number): number => logGamma(k + 1);
  const ofAll = logFactorial(n);
  return new Float64Array(last).map((_, k) => ofAll - logFactorial(k) - logFactorial(n - k));
}

function order(scores: Float64Array, a: number, b: number): number {
  const [first, second] = [scores[a] ?? 0, scores[b] ?? 0];
  if (first === second) return a - b;
  return first > second ? -1 : 1;
}
