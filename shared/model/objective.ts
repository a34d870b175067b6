import { assertNever } from '../errors.ts';
import type { Defence } from './defence.ts';

/** RelaxLoss's settings without the schedule. */
export type RelaxLoss = Extract<Defence, { type: 'relaxloss' }>;

/**
 * What one local step descends, over the records of that step. `approach` pulls the mean loss L towards alpha: |L - alpha|,
 * which ascends below it; `flatten` descends L above alpha and flattens the other classes' probabilities below it.
 */
export type Objective =
  | { readonly type: 'cross-entropy' }
  | { readonly type: 'relaxloss'; readonly phase: 'approach' | 'flatten'; readonly settings: RelaxLoss };

/**
 * The objective of one local epoch (both counted from 0). RelaxLoss (Chen, Yu and Fritz, ICLR 2022; the authors' code)
 * alternates: even is `approach`, odd is `flatten`; counted over rounds or over local epochs as `parity` says.
 */
export function objectiveOf(defence: Defence, round: number, epoch: number): Objective {
  switch (defence.type) {
    case 'none':
      return { type: 'cross-entropy' };
    case 'relaxloss': {
      const count = defence.parity === 'round' ? round : epoch;
      return { type: 'relaxloss', phase: count % 2 === 0 ? 'approach' : 'flatten', settings: defence };
    }
    default:
      return assertNever(defence);
  }
}
