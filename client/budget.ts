import { ParleyError } from '../shared/errors.ts';
import { reportedEpsilon } from '../shared/privacy/accounting/accountants.ts';
import { costliestWithin } from '../shared/privacy/accounting/costliest.ts';
import { appendEvent } from '../shared/privacy/accounting/entries.ts';
import { type LedgerEntry, type MechanismEvent, withNoiseTimes } from '../shared/privacy/accounting/event.ts';
import type { Plan } from '../shared/protocol/plan.ts';
import { Epsilon } from '../shared/units.ts';
import { type Charge, chargedEntries } from './charged-entries.ts';
import type { LedgerView, SiteLedger } from './ledger.ts';
import { chargedNoiseMultiplier, type SitePolicy } from './policy.ts';

/** One of a site's limits, and how the ledger stands to it. */
export interface BudgetState {
  /** The policy's key. */
  readonly rule: 'maxEpsilon' | 'perPeriod';
  /** `in total`, or which days. */
  readonly span: string;
  readonly limit: Epsilon;
  readonly spent: Epsilon;
  /** limit - spent, at least 0. Epsilons of rounds do not add up: a round that costs more than this alone may still fit. */
  readonly left: number;
  /** What is charged. */
  readonly entries: readonly LedgerEntry[];
}

type BudgetPolicy = Pick<SitePolicy, 'maxEpsilon' | 'perPeriod' | 'delta'>;

/** How a ledger stands to every limit of the policy, now. Throws EVENT_UNSUPPORTED. */
export function budgetStates(ledger: LedgerView, policy: BudgetPolicy): readonly BudgetState[] {
  return limitsOf(policy, ledger.now()).map(({ rule, span, epsilon, charged }) => {
    const entries = charged(ledger.records());
    const spent = reportedEpsilon(entries, policy.delta);
    return { rule, span, limit: epsilon, spent, left: Math.max(0, epsilon - spent), entries };
  });
}

/** A round that a site is asked for. */
export interface BudgetQuestion {
  readonly plan: Pick<Plan, 'run' | 'round' | 'rounds' | 'protection'>;
  /** What its release will be. */
  readonly event: MechanismEvent;
  readonly ledger: Pick<SiteLedger, 'records' | 'now' | 'reservedBesides'>;
  readonly policy: BudgetPolicy;
}

/**
 * Law 7: refuse on the site's own, before training, what a limit does not cover. What other runs have reserved counts as
 * spent. A release without noise is a matter of the policy's `allowUnprotected`; afterwards the ledger is infinite.
 *
 * @throws BUDGET_EXCEEDED with the limit, what the round would bring, what is spent, what is left and what would fit;
 * EVENT_UNSUPPORTED.
 */
export function assertWithinBudget(question: BudgetQuestion): void {
  const { plan, event, ledger, policy } = question;
  if (event.type === 'non-private') return;
  const history: readonly Dated[] = [...ledger.records(), ...ledger.reservedBesides(plan.run)];
  const limits = limitsOf(policy, ledger.now());
  for (const limit of limits) {
    const after = epsilonWith([...history, { run: plan.run, event }], limit, policy);
    if (after > limit.epsilon) throw refusal({ ...question, history, limits }, limit, after);
  }
}

/** A release with its time; one without is still to come. */
interface Dated extends Charge {
  readonly timeMs?: number;
}

interface Limit extends Pick<BudgetState, 'rule' | 'span'> {
  readonly epsilon: Epsilon;
  readonly periodMs: number | undefined;
  /** What counts towards it, of all releases. */
  readonly charged: (history: readonly Dated[]) => readonly LedgerEntry[];
}

const dayMs = 86_400_000;

function limitsOf({ maxEpsilon, perPeriod }: BudgetPolicy, nowMs: number): readonly Limit[] {
  const total: Limit = {
    rule: 'maxEpsilon',
    span: 'in total',
    epsilon: Epsilon.parse(maxEpsilon),
    periodMs: undefined,
    charged: (history) =>
      history.reduce<readonly LedgerEntry[]>((entries, { event }) => appendEvent(entries, event), []),
  };
  return perPeriod ? [total, periodLimit(perPeriod, nowMs)] : [total];
}

/** A release counts from its time on for the whole period, and not at its end. */
function periodLimit({ epsilon, days }: NonNullable<SitePolicy['perPeriod']>, nowMs: number): Limit {
  const periodMs = days * dayMs;
  return {
    rule: 'perPeriod',
    span: `in ${days} days`,
    epsilon: Epsilon.parse(epsilon),
    periodMs,
    charged: (history) => {
      const recent = history.filter(({ timeMs = nowMs }) => timeMs > nowMs - periodMs);
      return chargedEntries(recent, history);
    },
  };
}

function epsilonWith(
  history: readonly Dated[],
  { charged }: Pick<Limit, 'charged'>,
  { delta }: BudgetPolicy,
): Epsilon {
  return reportedEpsilon(charged(history), delta);
}

interface Refused extends BudgetQuestion {
  readonly history: readonly Dated[];
  readonly limits: readonly Limit[];
}

function refusal(refused: Refused, limit: Limit, after: Epsilon): ParleyError {
  const { plan, policy, history } = refused;
  const spent = epsilonWith(history, limit, policy);
  const left = Math.max(0, limit.epsilon - spent);
  return new ParleyError(
    'BUDGET_EXCEEDED',
    `round ${plan.round} would bring this site to epsilon ${ceiled(after)} ${limit.span} at delta ${policy.delta}; its policy ` +
      `allows ${limit.epsilon} and ${ceiled(spent)} is spent (${limit.rule}). ${floored(left)} is left, and none of the ` +
      `${roundsLeft(plan)} rounds that the plan has left fits. ${advice(refused, limit)}; or the site can raise ${limit.rule}`,
  );
}

function advice(refused: Refused, limit: Limit): string {
  const { plan } = refused;
  const noise = fittingNoise(refused);
  const rounds = `all ${roundsLeft(plan)}`;
  const more =
    noise === 'none'
      ? `No noise multiplier would make ${rounds} fit now`
      : `A noise multiplier of ${noise} would make ${rounds} fit`;
  const fromMs = fitsFrom(refused, limit);
  return fromMs === undefined
    ? more
    : `${more}; as planned, this round fits from ${new Date(fromMs).toISOString()} on`;
}

function roundsLeft({ round, rounds }: BudgetQuestion['plan']): number {
  return Math.max(1, rounds - round);
}

const mostNoise = 2 ** 20;

/** The least noise multiplier, to four digits, with which all rounds that the plan has left fit every limit now. */
function fittingNoise({ plan, event, policy, history, limits }: Refused): number | 'none' {
  if (plan.protection.type === 'none' || event.type === 'banded-matrix-step') return 'none';
  // Of noise that is correlated over rounds, the first round pays for all.
  const count = event.type === 'banded-matrix' ? 1 : roundsLeft(plan);
  const cost = (limit: Limit, factor: number): number => {
    const next = { type: 'repetition', event: withNoiseTimes(event, factor), count } as const;
    return epsilonWith([...history, { run: plan.run, event: next }], limit, policy);
  };
  const factors = limits.map((limit) => {
    if (epsilonWith(history, limit, policy) > limit.epsilon) return undefined;
    const search = { limit: limit.epsilon, cheap: mostNoise, dear: 1, start: 2 };
    return costliestWithin({ ...search, cost: (factor) => cost(limit, factor) });
  });
  const z = chargedNoiseMultiplier(plan.protection);
  return factors.reduce<number | 'none'>(
    (most, factor) =>
      most === 'none' || factor === undefined ? 'none' : Math.max(most, ceiledTo4(factor * z)),
    z,
  );
}

/** When enough of the period's releases are old enough; undefined where that does not help. */
function fitsFrom({ plan, event, policy, history, ledger }: Refused, limit: Limit): number | undefined {
  const { periodMs, epsilon } = limit;
  if (periodMs === undefined) return undefined;
  const nowMs = ledger.now();
  const ends = [
    ...new Set(history.flatMap(({ timeMs }) => (timeMs === undefined ? [] : [timeMs + periodMs]))),
  ]
    .filter((end) => end > nowMs)
    .sort((a, b) => a - b);
  const fits = (atMs: number): boolean => {
    const later = periodLimit({ epsilon, days: periodMs / dayMs }, atMs);
    return epsilonWith([...history, { run: plan.run, event }], later, policy) <= epsilon;
  };
  return firstThat(ends, fits);
}

/** The first of some ascending values that something holds for, which from then on always holds. */
function firstThat(values: readonly number[], holds: (value: number) => boolean): number | undefined {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    if (holds(values[middle] ?? Infinity)) high = middle;
    else low = middle + 1;
  }
  return values[low];
}

/** Rounded so that nobody reads a limit as kept that was not. */
function ceiled(epsilon: number): string {
  return epsilon === Infinity ? 'infinite' : (Math.ceil(epsilon * 1000) / 1000).toFixed(3);
}

function floored(epsilon: number): string {
  return (Math.floor(epsilon * 1000) / 1000).toFixed(3);
}

function ceiledTo4(value: number): number {
  const unit = 10 ** (Math.floor(Math.log10(value)) - 3);
  return Number((Math.ceil(value / unit) * unit).toPrecision(4));
}
