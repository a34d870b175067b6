import {
  type LedgerEntry,
  type MechanismEvent,
  type SingleEvent,
  withNoiseTimes,
} from '../shared/privacy/accounting/event.ts';
import type { RunId } from '../shared/units.ts';

/** A release that counts, and how much: `weight` in (0, 1] is a user's, 1 when left out. */
export interface Charge {
  readonly run: RunId;
  readonly event: MechanismEvent;
  readonly weight?: number;
}

/**
 * What some releases of a ledger cost by themselves. Noise that is correlated over rounds is paid with its first round:
 * whoever is charged for any round of it is charged for all of it, at the largest of the weights, even where the first round
 * is not among the releases. It is looked for in `history`, which holds all releases, these included.
 */
export function chargedEntries(
  charges: readonly Charge[],
  history: readonly Charge[],
): readonly LedgerEntry[] {
  const parts = charges.flatMap(partsOf);
  const plain = parts.filter(({ event }) => !isBanded(event));
  return [
    ...plain.map(({ event, weight, count }) => ({ event: withNoiseTimes(event, 1 / weight), count })),
    ...paidEntries(
      parts.filter(({ event }) => isBanded(event)),
      history,
    ),
  ];
}

interface Part {
  readonly run: RunId;
  readonly event: SingleEvent;
  readonly count: number;
  readonly weight: number;
}

function partsOf(charge: Charge): readonly Part[] {
  const { run, event, weight = 1 } = charge;
  if (event.type === 'composition')
    return event.events.flatMap((part) => partsOf({ ...charge, event: part }));
  if (event.type !== 'repetition') return [{ run, event, count: 1, weight }];
  const parts = partsOf({ ...charge, event: event.event });
  return parts.map((part) => ({ ...part, count: part.count * event.count }));
}

function isBanded({ type }: SingleEvent): boolean {
  return type === 'banded-matrix' || type === 'banded-matrix-step';
}

/** The first rounds that pay for these rounds; a round that nothing pays for stays as it is, and accountants refuse it. */
function paidEntries(rounds: readonly Part[], history: readonly Charge[]): readonly LedgerEntry[] {
  if (rounds.length === 0) return [];
  const paid = new Map<string, { event: SingleEvent; count: number }>();
  for (const part of history.flatMap(partsOf).filter(({ event }) => event.type === 'banded-matrix')) {
    const { event, count } = paid.get(keyOf(part)) ?? { ...part, count: 0 };
    paid.set(keyOf(part), { event, count: count + part.count });
  }
  const heaviest = new Map<string, Part>();
  for (const part of rounds)
    if (part.weight > (heaviest.get(keyOf(part))?.weight ?? 0)) heaviest.set(keyOf(part), part);
  return [...heaviest].map(([key, part]) => {
    const { event, count } = paid.get(key) ?? part;
    return { event: withNoiseTimes(event, 1 / part.weight), count };
  });
}

function keyOf({ run, event }: Part): string {
  return JSON.stringify({ ...event, type: 'banded', run });
}
