import { ParleyError } from '../../errors.ts';
import type { Accountant } from './accountant.ts';
import { accountants } from './accountants.ts';
import { type BudgetPlan, deltaFor, noiseMultiplierFor, roundsWithin, samplingRateFor } from './calibrate.ts';
import { type LedgerEntry, sampledGaussian } from './event.ts';

/** The quantities of a plan, any one of which follows from the others. */
export const quantities = ['noiseMultiplier', 'samplingRate', 'rounds', 'epsilon', 'delta'] as const;
export type Quantity = (typeof quantities)[number];

/** A plan of which some quantities are left out. */
type Asked = { readonly [Q in Quantity]?: BudgetPlan[Q] | undefined };

/** A plan and which of its quantities was solved. */
export interface SolvedPlan extends BudgetPlan {
  readonly solved: Quantity;
}

/**
 * A plan with its one missing quantity, on the safe side (see each solver for how near to the best). Solved rounds are
 * Infinity when 2^40 of them fit.
 *
 * @throws CONFIG_INVALID when not exactly one quantity is missing; CALIBRATION_IMPOSSIBLE, with what to change, when no value
 * would do.
 */
export function solve(asked: Asked, accountant: Accountant = accountants.pld): SolvedPlan {
  if (lacksOnly(asked, 'noiseMultiplier'))
    return { ...asked, noiseMultiplier: noiseMultiplierFor(asked, accountant), solved: 'noiseMultiplier' };
  if (lacksOnly(asked, 'samplingRate'))
    return { ...asked, samplingRate: samplingRateFor(asked, accountant), solved: 'samplingRate' };
  if (lacksOnly(asked, 'rounds')) return { ...asked, rounds: roundsOf(asked, accountant), solved: 'rounds' };
  if (lacksOnly(asked, 'epsilon'))
    return { ...asked, epsilon: accountant.epsilon(planEntries(asked), asked.delta), solved: 'epsilon' };
  if (lacksOnly(asked, 'delta')) {
    const target = { epsilon: asked.epsilon, entries: planEntries(asked) };
    return { ...asked, delta: deltaFor(target, accountant), solved: 'delta' };
  }
  const missing = quantities.filter((quantity) => asked[quantity] === undefined);
  throw new ParleyError(
    'CONFIG_INVALID',
    `of ${quantities.join(', ')}, exactly one is left out and solved from the others; here ` +
      `${missing.length === 0 ? 'none' : missing.join(', ')} is missing`,
  );
}

function lacksOnly<Q extends Quantity>(asked: Asked, quantity: Q): asked is Asked & Omit<BudgetPlan, Q> {
  return quantities.every((other) => (asked[other] === undefined) === (other === quantity));
}

/** The ledger of a plan that ran as planned, as one site's users see it against the coordinator. */
export function planEntries({
  noiseMultiplier,
  samplingRate,
  rounds,
}: Pick<BudgetPlan, 'noiseMultiplier' | 'samplingRate' | 'rounds'>): readonly LedgerEntry[] {
  return [{ event: sampledGaussian(noiseMultiplier, samplingRate), count: rounds }];
}

function roundsOf(plan: Omit<BudgetPlan, 'rounds'>, accountant: Accountant): number {
  const { noiseMultiplier, samplingRate, epsilon, delta } = plan;
  const event = sampledGaussian(noiseMultiplier, samplingRate);
  const rounds = roundsWithin({ epsilon, delta, entries: [], event }, accountant);
  if (rounds > 0) return rounds;
  throw new ParleyError(
    'CALIBRATION_IMPOSSIBLE',
    `not even one round with noise multiplier ${noiseMultiplier} at sampling rate ${samplingRate} stays within epsilon ${epsilon}, ` +
      `delta ${delta}: allow a larger epsilon or delta, more noise, or a smaller sampling rate`,
  );
}
