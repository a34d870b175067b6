import type { Delta, Epsilon } from '../../units.ts';
import type { PrivacyProfile } from './accountants.ts';

/**
 * What a ledger allows an attacker who wants to tell whether one user's data were in the run, knows all other data and sees
 * all that the view shows: bounds over every attack there is (Wasserman and Zhou 2010, arXiv:0811.2501, Theorem 2.4; Kairouz,
 * Oh, Viswanath 2015, arXiv:1311.0776). TPR: of runs with the user, the share in which the attack says so. FPR: of runs
 * without, the share in which it says so all the same. Neighbouring: add or remove one user.
 *
 * For a set S of outputs that makes the attack accuse, TPR - e^epsilon FPR <= delta(epsilon) at every real epsilon, with the
 * profile of the pair (with the user, without); together these lines are the exact trade-off curve (Dong, Roth, Su 2022,
 * arXiv:1905.02383, Proposition 6). At a negative epsilon the line says that the attack misses at least so many members;
 * the other direction of the profile gives the same line, and the lower one of both bounds is taken. An upper bound on the
 * profile gives an upper bound here, whichever epsilons are tried.
 */

/** The largest TPR in [0, 1] of any attack whose FPR is `fpr`, in [0, 1]; never below `fpr`. */
export function bestTpr(profile: PrivacyProfile, fpr: number): number {
  if (fpr >= 1) return 1;
  const steepest = fpr > 0 ? -Math.log(fpr) : mostEpsilon;
  const least = smallestBelow(steepest, (epsilon) => tprBound(profile, epsilon, fpr));
  // Where the curve has a kink, a search comes close to the best line only.
  const byAdvantage = fpr + bestAdvantage(profile);
  const ofCertain = fpr > 0 ? 1 : profile.delta(Infinity).removing.upper;
  return Math.max(fpr, Math.min(1, least, byAdvantage, ofCertain));
}

/** The largest TPR - FPR of any attack, in [0, 1]: the total variation distance of runs with and without the user. */
export function bestAdvantage(profile: PrivacyProfile): number {
  const { removing, adding } = profile.delta(0);
  return Math.min(removing.upper, adding.upper);
}

/** The largest share of right answers, in [1/2, 1], when the user is in the run with probability 1/2. */
export function bestAccuracy(profile: PrivacyProfile): number {
  return (1 + bestAdvantage(profile)) / 2;
}

/**
 * The largest TPR that one pair (epsilon, delta) allows at an FPR in [0, 1] (Kairouz, Oh, Viswanath 2015). The whole profile
 * says more: this is for figures of which nothing else is known.
 */
export function bestTprOf(epsilon: Epsilon, delta: Delta, fpr: number): number {
  if (epsilon === Infinity) return 1;
  const accused = Math.min(Number.MAX_VALUE, Math.exp(epsilon)) * fpr + delta;
  const missed = Math.max(0, 1 - delta - fpr) / Math.exp(epsilon);
  return Math.min(1, accused, 1 - missed);
}

/** Where e^-epsilon is lost beside 1. */
const mostEpsilon = 37;

function tprBound(profile: PrivacyProfile, epsilon: number, fpr: number): number {
  const line = Math.exp(epsilon) * fpr + profile.delta(epsilon).removing.upper;
  if (epsilon >= 0) return line;
  const missed = Math.exp(epsilon) * Math.max(0, 1 - fpr - profile.delta(-epsilon).adding.upper);
  return Math.min(line, 1 - missed);
}

/**
 * The least value seen at epsilons up to `steepest`: downhill from 0 in growing strides, then by golden section. The bound is
 * convex in e^epsilon up to 1, so it has one valley; distributions are costly to compose for epsilons far from it.
 */
function smallestBelow(steepest: number, bound: (epsilon: number) => number): number {
  const within = (epsilon: number): number => Math.min(steepest, Math.max(-mostEpsilon, epsilon));
  const start = within(0);
  const atStart = bound(start);
  const [up, down] = [within(start + firstStride), within(start - firstStride)];
  const direction = bound(up) < atStart ? 1 : -1;
  let [behind, here, atHere] = [direction > 0 ? down : up, start, atStart];
  for (let stride = firstStride; ; stride *= 2) {
    const ahead = within(here + direction * stride);
    const atAhead = ahead === here ? Infinity : bound(ahead);
    // Not where it stays the same: it is 1 over a stretch before it falls.
    if (atAhead > atHere) return smallestBetween(Math.min(behind, ahead), Math.max(behind, ahead), bound);
    [behind, here, atHere] = [here, ahead, atAhead];
  }
}

const firstStride = 0.5;

/** By golden section; the least value seen. */
function smallestBetween(from: number, to: number, bound: (epsilon: number) => number): number {
  const golden = (Math.sqrt(5) - 1) / 2;
  let [low, high] = [from, to];
  let [left, right] = [high - golden * (high - low), low + golden * (high - low)];
  let [atLeft, atRight] = [bound(left), bound(right)];
  let least = Math.min(atLeft, atRight);
  while (high - low > 1e-5) {
    if (atLeft < atRight) {
      [high, right, atRight] = [right, left, atLeft];
      left = high - golden * (high - low);
      atLeft = bound(left);
    } else {
      [low, left, atLeft] = [left, right, atRight];
      right = low + golden * (high - low);
      atRight = bound(right);
    }
    least = Math.min(least, atLeft, atRight);
  }
  return least;
}
