import { z } from 'zod';
import { ParleyError } from '../shared/errors.ts';
import { reportedEpsilon } from '../shared/privacy/accounting/accountants.ts';
import { noiseMultiplierFor, roundsWithin } from '../shared/privacy/accounting/calibrate.ts';
import { type LedgerEntry, MechanismEvent, sampledGaussian } from '../shared/privacy/accounting/event.ts';
import { Delta, Epsilon, NoiseMultiplier, SamplingRate } from '../shared/units.ts';

/** A plan that a site considers: what is left out of noise multiplier and rounds is what it asks about. */
export interface SitePlan {
  readonly noiseMultiplier?: number | undefined;
  readonly samplingRate?: number | undefined;
  readonly rounds?: number | undefined;
}

/** One of the site's limits, how its ledger stands to it and how a plan would. Epsilon in nats, at the policy's delta. */
export interface LimitAnswer {
  /** The policy's key. */
  readonly rule: string;
  /** `in total`, or in how many days. */
  readonly span: string;
  readonly limit: number;
  readonly spent: number;
  readonly left: number;
  /** Rounds of the plan that fit now; Infinity for more than 2^40. */
  readonly roundsLeft?: number;
  /** Epsilon after all rounds of the plan. */
  readonly after?: number;
  /** What all rounds of the plan would need to fit now. */
  readonly noiseNeeded?: number | 'none would do';
}

/** What a site can still afford. Neighbouring: one user of the site, with all records, added or removed. */
export interface SiteBudget {
  readonly ledger: string;
  readonly delta: number;
  readonly samplingRate: number;
  readonly noiseMultiplier?: number | undefined;
  readonly rounds?: number | undefined;
  readonly limits: readonly LimitAnswer[];
  /** The least over the limits. */
  readonly roundsLeft?: number;
  /** The most over the limits. */
  readonly noiseNeeded?: number | 'none would do';
}

/**
 * Hold a plan against a site's limits, given what `parley ledger show` says of its ledger. What an entry of the summary's
 * budget was charged stands in its `charged`; without it the whole ledger counts, which never lets too much through.
 *
 * @throws CONFIG_INVALID when the plan lacks the sampling rate, or both noise multiplier and rounds, or is out of range.
 */
export function siteBudget(ledgerSummary: unknown, asked: SitePlan): SiteBudget {
  const plan = checkedPlan(asked);
  const { ledger, delta, events, budget } = LedgerSummary.parse(ledgerSummary);
  const limits = budget.map(({ charged = events, ...state }) => ({
    ...state,
    ...answerFor(plan, { ...state, delta, spentEntries: charged }),
  }));
  const rounds = limits.flatMap(({ roundsLeft }) => roundsLeft ?? []);
  const noise = limits.flatMap(({ noiseNeeded }) => noiseNeeded ?? []);
  return {
    ledger,
    delta,
    ...plan,
    limits,
    ...(rounds.length > 0 && { roundsLeft: Math.min(...rounds) }),
    ...(noise.length > 0 && { noiseNeeded: mostNoise(noise) }),
  };
}

type Noise = number | 'none would do';

function mostNoise(noise: readonly Noise[]): Noise {
  return noise.reduce((a, b) =>
    typeof a === 'number' && typeof b === 'number' ? Math.max(a, b) : 'none would do',
  );
}

interface LimitState {
  readonly limit: number;
  readonly delta: Delta;
  readonly spentEntries: readonly LedgerEntry[];
}

function answerFor(
  { noiseMultiplier, samplingRate, rounds }: z.infer<typeof Plan>,
  { limit, delta, spentEntries }: LimitState,
): Pick<LimitAnswer, 'roundsLeft' | 'after' | 'noiseNeeded'> {
  const epsilon = Epsilon.parse(limit);
  const event = noiseMultiplier && sampledGaussian(noiseMultiplier, samplingRate);
  const target = { epsilon, delta, samplingRate, spent: spentEntries };
  return {
    ...(event && { roundsLeft: roundsWithin({ epsilon, delta, entries: spentEntries, event }) }),
    ...(event && rounds && { after: reportedEpsilon([...spentEntries, { event, count: rounds }], delta) }),
    ...(rounds && { noiseNeeded: noiseOrNone({ ...target, rounds }) }),
  };
}

function noiseOrNone(target: Parameters<typeof noiseMultiplierFor>[0]): Noise {
  try {
    return noiseMultiplierFor(target);
  } catch (error) {
    if (error instanceof ParleyError && error.code === 'CALIBRATION_IMPOSSIBLE') return 'none would do';
    throw error;
  }
}

const Plan = z.object({
  noiseMultiplier: NoiseMultiplier.optional(),
  samplingRate: SamplingRate,
  rounds: z.int().positive().optional(),
});

function checkedPlan(asked: SitePlan): z.infer<typeof Plan> {
  const parsed = Plan.safeParse(asked);
  if (parsed.success && (parsed.data.noiseMultiplier !== undefined || parsed.data.rounds !== undefined))
    return parsed.data;
  throw new ParleyError(
    'CONFIG_INVALID',
    'with --site, give --sampling-rate (in (0, 1]) and --noise-multiplier (> 0: how many rounds are left?) or --rounds ' +
      '(which noise would they need?) or both',
  );
}

const figure = z.union([z.number(), z.literal('infinite').transform(() => Infinity)]);
const entries = z.array(z.object({ event: MechanismEvent, count: z.int().positive() }));

const LedgerSummary = z.object({
  ledger: z.string(),
  delta: Delta,
  events: entries,
  budget: z.array(
    z.object({
      rule: z.string(),
      span: z.string(),
      limit: figure,
      spent: figure,
      left: figure,
      charged: entries.optional(),
    }),
  ),
});

/** The answer as lines for people. */
export function siteBudgetWords(answer: SiteBudget): readonly string[] {
  const { ledger, delta, samplingRate, noiseMultiplier, rounds, limits, roundsLeft, noiseNeeded } = answer;
  const plan = [
    ...(noiseMultiplier === undefined ? [] : [`noise multiplier ${noiseMultiplier}`]),
    `sampling rate ${samplingRate}`,
    ...(rounds === undefined ? [] : [`${rounds} rounds`]),
  ].join(', ');
  return [
    `ledger ${ledger}; epsilon at delta ${delta}, for one user with all records, added or removed`,
    ...limits.map(
      ({ span, limit, spent, left, after }) =>
        `  ${span}: ${figureText(spent, Math.ceil)} of ${figureText(limit, Math.floor)} is spent, ${figureText(left, Math.floor)} is left` +
        (after === undefined ? '' : `; after this plan it would be ${figureText(after, Math.ceil)}`),
    ),
    `Plan: ${plan}.`,
    ...(roundsLeft === undefined
      ? []
      : [`Rounds like these that still fit: ${roundsLeft === Infinity ? 'without end' : roundsLeft}.`]),
    ...(noiseNeeded === undefined ? [] : [noiseText(noiseNeeded, rounds)]),
  ];
}

function noiseText(noise: Noise, rounds = 1): string {
  return noise === 'none would do'
    ? `No noise multiplier would make ${rounds} rounds fit now.`
    : `A noise multiplier of ${Math.ceil(noise * 10_000) / 10_000} makes ${rounds} rounds fit.`;
}

function figureText(epsilon: number, towards: (value: number) => number): string {
  return epsilon === Infinity ? 'infinite' : (towards(epsilon * 1000) / 1000).toFixed(3);
}
