import type { Delta, Epsilon } from '../../units.ts';
import type { LedgerEntry } from './event.ts';

/**
 * One way to say what a ledger costs. Neighbouring: add or remove one user. No entry costs 0, something non-private
 * Infinity. `bound` says on which side of the true figure the answers lie.
 */
export interface Accountant {
  readonly name: string;
  readonly bound: 'upper' | 'lower' | 'exact';
  /** Nats. Throws EVENT_UNSUPPORTED where this accountant cannot interpret an event. */
  epsilon(entries: readonly LedgerEntry[], delta: Delta): Epsilon;
  /** In [0, 1], at a finite or infinite epsilon. Throws EVENT_UNSUPPORTED. */
  delta(entries: readonly LedgerEntry[], epsilon: Epsilon): number;
}
