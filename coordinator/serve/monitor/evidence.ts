/**
 * Evidence against "this caller is an ordinary one", gathered query by query. Each test counts hits, such as repeats, whose
 * probability for an ordinary caller is at most `ordinary` at every query, given all before it.
 *
 * The evidence is an e-process: a mixture, over three larger rates and over all queries at which a change could have begun
 * (weights 1 / (j (j + 1))), of likelihood ratios. By Ville's inequality it exceeds a limit L with probability at most 1 / L,
 * over all time and not only at one look (Ville 1939; mixtures over the start as in Shin, Ramdas and Rinaldo 2022).
 */

/** How far the alternatives lie between the ordinary rate and 1. */
const alternatives = [0.25, 0.5, 0.875] as const;

/** Evidence values that one test keeps, and the number of queries that it has counted. */
export const evidenceWidth = alternatives.length + 1;

/** Evidence of so many tests before any query, shape (numTests * evidenceWidth,). */
export function noEvidence(numTests: number): Float64Array {
  const evidence = new Float64Array(numTests * evidenceWidth);
  for (let test = 0; test < numTests; test++) forget(evidence, test);
  return evidence;
}

/** Begin a test anew, in place: after it has raised its alarm. */
export function forget(evidence: Float64Array, test: number): void {
  const at = test * evidenceWidth;
  evidence.fill(-Infinity, at, at + alternatives.length);
  evidence[at + alternatives.length] = 0;
}

/**
 * Count one query for a test, in place. `ordinary` in (0, 1).
 *
 * @returns the logarithm of the test's evidence, nats.
 */
export function count(evidence: Float64Array, test: number, isHit: boolean, ordinary: number): number {
  const at = test * evidenceWidth;
  const queries = (evidence[at + alternatives.length] ?? 0) + 1;
  evidence[at + alternatives.length] = queries;
  const start = -Math.log(queries) - Math.log(queries + 1);
  let total = -Infinity;
  for (const [index, share] of alternatives.entries()) {
    const rate = ordinary + share * (1 - ordinary);
    const ratio = isHit ? Math.log(rate / ordinary) : Math.log((1 - rate) / (1 - ordinary));
    const value = logSum(evidence[at + index] ?? -Infinity, start) + ratio;
    evidence[at + index] = value;
    total = logSum(total, value);
  }
  return total - Math.log(alternatives.length);
}

/** log(e^a + e^b). */
function logSum(a: number, b: number): number {
  const [low, high] = a < b ? [a, b] : [b, a];
  return high === -Infinity ? high : high + Math.log1p(Math.exp(low - high));
}
