import { type Delta, Epsilon } from '../../units.ts';
import type { Accountant } from './accountant.ts';
import type { LedgerEntry } from './event.ts';
import { gaussianDelta, gaussianEpsilon } from './gaussian-accountant.ts';
import { epsilonBetween, profileOf } from './pld-accountant.ts';
import type { Bounds, PrivacyProfile } from './profile.ts';
import { rdpDelta, rdpEpsilon } from './rdp-accountant.ts';

export type { PrivacyProfile } from './profile.ts';

export type AccountantName = 'pld' | 'pld-lower' | 'rdp' | 'rdp-basic' | 'gaussian';

/** All accountants by name. Where they can all interpret a ledger: pld-lower <= pld <= rdp <= rdp-basic. */
export const accountants: Readonly<Record<AccountantName, Accountant>> = {
  pld: {
    name: 'pld',
    bound: 'upper',
    epsilon: (entries, delta) => pldBounds(entries, delta).upper,
    delta: (entries, epsilon) => profileOf(entries).delta(epsilon).upper,
  },
  'pld-lower': {
    name: 'pld-lower',
    bound: 'lower',
    epsilon: (entries, delta) => pldBounds(entries, delta).lower,
    delta: (entries, epsilon) => profileOf(entries).delta(epsilon).lower,
  },
  rdp: { name: 'rdp', bound: 'upper', epsilon: rdpEpsilon, delta: rdpDelta },
  'rdp-basic': {
    name: 'rdp-basic',
    bound: 'upper',
    epsilon: (entries, delta) => rdpEpsilon(entries, delta, 'basic'),
    delta: (entries, epsilon) => rdpDelta(entries, epsilon, 'basic'),
  },
  gaussian: { name: 'gaussian', bound: 'exact', epsilon: gaussianEpsilon, delta: gaussianDelta },
};

/** Epsilon as every ledger and report states it (DESIGN law 9): the PLD upper bound. Throws EVENT_UNSUPPORTED. */
export function reportedEpsilon(entries: readonly LedgerEntry[], delta: Delta): Epsilon {
  return pldBounds(entries, delta).upper;
}

/**
 * Both PLD bounds on epsilon (nats) from one computation, which is remembered a while: the sites of a simulation and its
 * coordinator ask the same of equal ledgers, many times a round. Throws EVENT_UNSUPPORTED.
 */
export function pldBounds(entries: readonly LedgerEntry[], delta: Delta): Bounds<Epsilon> {
  const question = JSON.stringify([entries, delta]);
  const known = newest.get(question);
  if (known !== undefined) return known;
  const { lower, upper } = epsilonBetween(entries, delta);
  const bounds = { lower: Epsilon.parse(lower), upper: Epsilon.parse(upper) };
  newest.set(question, bounds);
  const [oldest] = newest.keys();
  if (newest.size > remembered && oldest !== undefined) newest.delete(oldest);
  return bounds;
}

const remembered = 32;
const newest = new Map<string, Bounds<Epsilon>>();

/** The delta of the entries as a function of epsilon; asking it again is cheap. Throws EVENT_UNSUPPORTED. */
export function privacyProfile(entries: readonly LedgerEntry[]): PrivacyProfile {
  return profileOf(entries);
}
