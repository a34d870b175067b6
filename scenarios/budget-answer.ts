import { z } from 'zod';
import { ParleyError } from '../shared/errors.ts';
import { pldBounds, privacyProfile } from '../shared/privacy/accounting/accountants.ts';
import { bestAccuracy, bestAdvantage, bestTpr, bestTprOf } from '../shared/privacy/accounting/attacker.ts';
import { type LedgerEntry, sampledGaussian } from '../shared/privacy/accounting/event.ts';
import { rdpEpsilon } from '../shared/privacy/accounting/rdp-accountant.ts';
import { type Quantity, quantities, type SolvedPlan, solve } from '../shared/privacy/accounting/solve.ts';
import { plannedViews } from '../shared/privacy/accounting/views.ts';
import { Delta, NoiseMultiplier, SamplingRate } from '../shared/units.ts';

/** What `parley budget` was asked: all quantities of a plan but one, and perhaps the federation it is for. */
export interface BudgetOptions {
  readonly noiseMultiplier?: number;
  readonly samplingRate?: number;
  readonly rounds?: number;
  readonly epsilon?: number;
  readonly delta?: number;
  readonly sites?: number;
  readonly answeringSites?: number;
  readonly colluding?: number;
}

/** Epsilon in nats, always at the plan's delta. The true value lies between `pldLower` and `pld`, which is what counts. */
export interface Cost {
  readonly pld: number;
  readonly pldLower: number;
  /** Upper bound from Renyi divergences, for comparison. */
  readonly rdp: number;
}

/** Bounds on every attack that wants to tell whether one user's data were in the run; shares in [0, 1]. */
export interface AttackerBounds {
  readonly tprAt1PercentFpr: number;
  readonly tprAt01PercentFpr: number;
  /** Largest TPR - FPR. */
  readonly advantage: number;
  /** Right answers when the user is in the run with probability 1/2. */
  readonly accuracy: number;
  /** What the one pair (epsilon, delta) would allow by itself; the whole profile says more. */
  readonly fromEpsilonAlone: { readonly tprAt1PercentFpr: number; readonly tprAt01PercentFpr: number };
}

/** What a plan costs one site's users against one adversary, and what that allows it. */
export interface ViewCost extends Cost {
  readonly attacker: AttackerBounds;
}

/** The answer of `parley budget`. `epsilon` and `attacker` are those of the coordinator, who sees the most. */
export interface BudgetAnswer extends Omit<SolvedPlan, 'epsilon'> {
  readonly neighbouring: 'one user of one site, with all records, added or removed';
  /** The epsilon that was asked for, where one was. */
  readonly targetEpsilon?: number;
  readonly epsilon: Cost;
  readonly attacker: AttackerBounds;
  readonly sites?: number;
  readonly answeringSites?: number;
  readonly colluding?: number;
  readonly views?: { readonly coordinator: ViewCost; readonly recipients: ViewCost };
}

/**
 * The one quantity that was left out, solved on the safe side, and what the plan then costs.
 *
 * @throws CONFIG_INVALID when not exactly one is left out or a value is out of range, with the options to give;
 * CALIBRATION_IMPOSSIBLE when no value of the missing one would do.
 */
export function budgetAnswer(options: BudgetOptions): BudgetAnswer {
  const { sites, answeringSites, colluding, ...given } = checkedOptions(options);
  const { epsilon: target, ...plan } = solve(given);
  const { noiseMultiplier, samplingRate, delta } = plan;
  const event = sampledGaussian(noiseMultiplier, samplingRate);
  const views = plannedViews({
    event,
    rounds: Math.min(plan.rounds, mostRounds),
    sites: sites ?? 1,
    ...(answeringSites !== undefined && { answeringSites }),
    ...(colluding !== undefined && { colludingSites: colluding }),
  });
  const { attacker, ...epsilon } = viewCost(views.coordinator, delta);
  return {
    neighbouring: 'one user of one site, with all records, added or removed',
    ...plan,
    ...(plan.solved !== 'epsilon' && { targetEpsilon: target }),
    epsilon,
    attacker,
    ...(sites !== undefined && {
      sites,
      answeringSites: answeringSites ?? sites,
      colluding: colluding ?? 1,
      views: { coordinator: { ...epsilon, attacker }, recipients: viewCost(views.recipients, delta) },
    }),
  };
}

/** Where solved rounds are without end, the cost is that of so many. */
const mostRounds = 2 ** 40;

function viewCost(entries: readonly LedgerEntry[], delta: Delta): ViewCost {
  const { upper, lower } = pldBounds(entries, delta);
  const profile = privacyProfile(entries);
  return {
    pld: upper,
    pldLower: lower,
    rdp: rdpEpsilon(entries, delta),
    attacker: {
      tprAt1PercentFpr: bestTpr(profile, 0.01),
      tprAt01PercentFpr: bestTpr(profile, 0.001),
      advantage: bestAdvantage(profile),
      accuracy: bestAccuracy(profile),
      fromEpsilonAlone: {
        tprAt1PercentFpr: bestTprOf(upper, delta, 0.01),
        tprAt01PercentFpr: bestTprOf(upper, delta, 0.001),
      },
    },
  };
}

const optionNames: Readonly<Record<keyof BudgetOptions, string>> = {
  noiseMultiplier: '--noise-multiplier',
  samplingRate: '--sampling-rate',
  rounds: '--rounds',
  epsilon: '--epsilon',
  delta: '--delta',
  sites: '--sites',
  answeringSites: '--answering-sites',
  colluding: '--colluding',
};

const count = z.int().positive();

const CheckedOptions = z
  .strictObject({
    noiseMultiplier: NoiseMultiplier.optional(),
    samplingRate: SamplingRate.optional(),
    rounds: count.optional(),
    epsilon: z.number().nonnegative().brand<'Epsilon'>().optional(),
    delta: Delta.optional(),
    sites: count.optional(),
    answeringSites: count.optional(),
    colluding: z.int().nonnegative().optional(),
  })
  .refine(
    ({ sites, answeringSites, colluding }) =>
      sites !== undefined || (answeringSites === undefined && colluding === undefined),
    'give --sites with --answering-sites and --colluding',
  )
  .refine(({ sites = Infinity, colluding = 0 }) => colluding <= sites, {
    path: ['colluding'],
    error: 'more sites cannot collude than there are: give a number from 0 to that of --sites',
  });

type Checked = z.infer<typeof CheckedOptions>;

function checkedOptions(options: BudgetOptions): Checked {
  const missing = quantities.filter((quantity) => options[quantity] === undefined);
  if (missing.length !== 1) throw wrongNumber(missing);
  const parsed = CheckedOptions.safeParse(options);
  if (parsed.success) return parsed.data;
  const places = parsed.error.issues.map(({ path, message }) => `${named(path[0])}${message}`);
  throw new ParleyError('CONFIG_INVALID', `the options do not fit: ${places.join('; ')}`);
}

function named(key: PropertyKey | undefined): string {
  const [, name] = Object.entries(optionNames).find(([option]) => option === key) ?? [];
  return name === undefined ? '' : `${name}: `;
}

function wrongNumber(missing: readonly Quantity[]): ParleyError {
  const all = quantities.map((quantity) => optionNames[quantity]).join(', ');
  const found =
    missing.length === 0
      ? 'all are given'
      : `left out are ${missing.map((quantity) => optionNames[quantity]).join(', ')}`;
  const hint = missing.includes('delta')
    ? '; delta is the probability with which the promise may fail: choose it well below 1 / (number of users)'
    : '';
  return new ParleyError(
    'CONFIG_INVALID',
    `leave out exactly one of ${all}, and it is solved from the others; here ${found}${hint}`,
  );
}
