import { assertNever } from '../errors.ts';
import type { LedgerEntry, MechanismEvent } from './event.ts';

/** The entries with one more event at the end; an event equal to the last one raises that entry's count. */
export function appendEvent(entries: readonly LedgerEntry[], event: MechanismEvent): readonly LedgerEntry[] {
  const last = entries.at(-1);
  if (last === undefined || !isSameEvent(last.event, event)) return [...entries, { event, count: 1 }];
  return [...entries.slice(0, -1), { event: last.event, count: last.count + 1 }];
}

/** Number of events in the entries. */
export function countEvents(entries: readonly LedgerEntry[]): number {
  return entries.reduce((total, entry) => total + entry.count, 0);
}

function isSameEvent(a: MechanismEvent, b: MechanismEvent): boolean {
  switch (a.type) {
    case 'gaussian':
      return b.type === a.type && b.noiseMultiplier === a.noiseMultiplier;
    case 'poisson-subsampled-gaussian':
      return (
        b.type === a.type && b.noiseMultiplier === a.noiseMultiplier && b.samplingRate === a.samplingRate
      );
    case 'non-private':
      return b.type === a.type;
    default:
      return assertNever(a);
  }
}
