import { ParleyError } from '../../errors.ts';
import { Delta, type Epsilon, NoiseMultiplier, SamplingRate } from '../../units.ts';
import type { Accountant } from './accountant.ts';
import { accountants } from './accountants.ts';
import { costliestWithin } from './costliest.ts';
import { type LedgerEntry, type MechanismEvent, sampledGaussian } from './event.ts';
import { composedRdp, defaultOrders, rememberedRdp } from './rdp.ts';
import { epsilonOfCurve } from './rdp-accountant.ts';

/**
 * Any one quantity of a plan from the others, on the safe side: what is returned has itself been checked to stay within the
 * target, by the accountant that reports (the PLD upper bound) unless another one is given. Neighbouring: add or remove one
 * user of one site.
 */

/** A plan: `rounds` releases of one site whose users take part by independent coins. */
export interface BudgetPlan {
  readonly noiseMultiplier: NoiseMultiplier;
  readonly samplingRate: SamplingRate;
  /** Integer >= 1. */
  readonly rounds: number;
  /** Nats. */
  readonly epsilon: Epsilon;
  readonly delta: Delta;
}

/** What was spent before, of the same epsilon; nothing when left out. */
interface Spent {
  readonly spent?: readonly LedgerEntry[];
}

/** What a run must stay within, together with what was spent before. Epsilon is finite. */
export type Target = Omit<BudgetPlan, 'noiseMultiplier'> & Spent;

const leastNoise = 2 ** -6;
const mostNoise = 2 ** 20;
const leastRate = 2 ** -40;
const mostRounds = 2 ** 40;

/**
 * The noise multiplier z that keeps `rounds` releases within (epsilon, delta), between 2^-6 and 2^20: its epsilon is at
 * least 0.9999 of the target, or less than 1e-6 less noise would exceed it, or it is 2^-6.
 * Throws CALIBRATION_IMPOSSIBLE when epsilon is infinite, `rounds` is no integer >= 1, or even z = 2^20 is too little.
 */
export function noiseMultiplierFor(
  target: Target,
  accountant: Accountant = accountants.pld,
): NoiseMultiplier {
  const { samplingRate, rounds, epsilon, delta, spent = [] } = target;
  assertFinite(epsilon);
  assertWhole(rounds);
  const noise = bestWithin(target, accountant, {
    entriesFor: (z) => [
      ...spent,
      { event: sampledGaussian(NoiseMultiplier.parse(z), samplingRate), count: rounds },
    ],
    cheap: mostNoise,
    dear: leastNoise,
  });
  if (noise === undefined)
    throw impossible(
      `no noise multiplier up to ${mostNoise} keeps ${rounds} rounds at sampling rate ${samplingRate} within epsilon ${epsilon}, delta ${delta}${besides(spent)}: allow a larger epsilon or delta, or fewer rounds`,
    );
  return NoiseMultiplier.parse(noise);
}

/**
 * The largest sampling rate q that keeps `rounds` releases within (epsilon, delta): its epsilon is at least 0.9999 of the
 * target, or a rate larger by 1e-6 would exceed it, or it is 1. Throws CALIBRATION_IMPOSSIBLE when epsilon is infinite,
 * `rounds` is no integer >= 1, or even 2^-40 is too much.
 */
export function samplingRateFor(
  target: Omit<BudgetPlan, 'samplingRate'> & Spent,
  accountant: Accountant = accountants.pld,
): SamplingRate {
  const { noiseMultiplier, rounds, epsilon, delta, spent = [] } = target;
  assertFinite(epsilon);
  assertWhole(rounds);
  const rate = bestWithin(target, accountant, {
    entriesFor: (q) => [
      ...spent,
      { event: sampledGaussian(noiseMultiplier, SamplingRate.parse(q)), count: rounds },
    ],
    cheap: leastRate,
    dear: 1,
  });
  if (rate === undefined)
    throw impossible(
      `no sampling rate down to 2^-40 keeps ${rounds} rounds with noise multiplier ${noiseMultiplier} within epsilon ${epsilon}, delta ${delta}${besides(spent)}: allow a larger epsilon or delta, fewer rounds, or more noise`,
    );
  return SamplingRate.parse(rate);
}

/**
 * How many more such events fit on top of the entries within (epsilon, delta): the largest number up to 10,000 (beyond, at
 * most 1e-4 below the largest); 0 when the entries alone exceed the target or no event fits; Infinity when 2^40 of them fit.
 * Of later rounds of a banded matrix, as many as its first round in the entries has paid.
 * Throws EVENT_UNSUPPORTED when entries and one event are more than the accountant can interpret.
 */
export function roundsWithin(
  budget: {
    readonly epsilon: Epsilon;
    readonly delta: Delta;
    readonly entries: readonly LedgerEntry[];
    readonly event: MechanismEvent;
  },
  accountant: Accountant = accountants.pld,
): number {
  const { epsilon, delta, entries, event } = budget;
  const entriesFor = (count: number): readonly LedgerEntry[] => [...entries, { event, count }];
  if (accountant.epsilon(entriesFor(1), delta) > epsilon) return 0;
  if (epsilon === Infinity) return Infinity;
  const rounds = bestWithin(budget, accountant, { entriesFor, cheap: 1, dear: mostRounds, whole: true });
  return rounds === mostRounds ? Infinity : (rounds ?? 0);
}

/**
 * A delta for which the entries stay within epsilon: the accountant's own at that epsilon, or, where its bound on epsilon is
 * less tight than that on delta, the next larger one that does, to 0.1 %. Throws CALIBRATION_IMPOSSIBLE when only delta = 1
 * would do.
 */
export function deltaFor(
  { epsilon, entries }: { readonly epsilon: Epsilon; readonly entries: readonly LedgerEntry[] },
  accountant: Accountant = accountants.pld,
): Delta {
  const isEnough = (delta: number): boolean =>
    delta < 1 && accountant.epsilon(entries, Delta.parse(delta)) <= epsilon;
  const least = Math.max(leastDelta, accountant.delta(entries, epsilon));
  if (isEnough(least)) return Delta.parse(least);
  let [beyond, enough] = [least, least];
  for (let margin = deltaStep; beyond < 1; margin *= 4) {
    enough = least * (1 + margin);
    if (isEnough(enough)) break;
    beyond = enough;
  }
  if (beyond >= 1)
    throw impossible(
      `no delta below 1 covers these rounds at epsilon ${epsilon}: allow a larger epsilon, fewer rounds, or more noise`,
    );
  while (enough / beyond > 1 + deltaStep) {
    const middle = Math.sqrt(enough * beyond);
    if (isEnough(middle)) enough = middle;
    else beyond = middle;
  }
  return Delta.parse(enough);
}

/** Relative. */
const deltaStep = 1e-3;

/** Far below what any accountant resolves; a Delta is never 0. */
const leastDelta = 1e-300;

interface Choice {
  readonly entriesFor: (x: number) => readonly LedgerEntry[];
  readonly cheap: number;
  readonly dear: number;
  readonly whole?: boolean;
}

/** First by Renyi divergences, which are quick, then from there by the accountant. */
function bestWithin(
  { epsilon, delta }: { readonly epsilon: Epsilon; readonly delta: Delta },
  accountant: Accountant,
  { entriesFor, ...range }: Choice,
): number | undefined {
  const remembered = rememberedRdp();
  const quick = unlessUnsupported((x) =>
    epsilonOfCurve(composedRdp(entriesFor(x), remembered), delta, 'improved', quickOrders),
  );
  const start = Math.min(Math.max(1, Math.min(range.cheap, range.dear)), Math.max(range.cheap, range.dear));
  const near = costliestWithin({ ...range, cost: quick, limit: epsilon, start }) ?? range.cheap;
  const exact = unlessUnsupported((x) => accountant.epsilon(entriesFor(x), delta));
  return costliestWithin({ ...range, cost: exact, limit: epsilon, start: near });
}

/** Whole orders need no quadrature. */
const quickOrders = defaultOrders.filter(Number.isInteger);

/** More rounds of a banded matrix than were paid are more than fit, not a fault. */
function unlessUnsupported(cost: (x: number) => number): (x: number) => number {
  return (x) => {
    try {
      return cost(x);
    } catch (error) {
      if (error instanceof ParleyError && error.code === 'EVENT_UNSUPPORTED') return Infinity;
      throw error;
    }
  };
}

function besides(spent: readonly LedgerEntry[]): string {
  return spent.length === 0 ? '' : ' beside what is spent already';
}

function assertFinite(epsilon: Epsilon): void {
  if (epsilon === Infinity) throw impossible('an infinite epsilon promises nothing: ask for a finite one');
}

function assertWhole(rounds: number): void {
  if (!Number.isInteger(rounds) || rounds < 1)
    throw impossible(`${rounds} rounds are none: ask for a whole number of at least 1`);
}

function impossible(detail: string): ParleyError {
  return new ParleyError('CALIBRATION_IMPOSSIBLE', detail);
}
