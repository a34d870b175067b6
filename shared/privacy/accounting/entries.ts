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

/** Events are plain data that went through one schema, so equal ones have equal texts. */
function isSameEvent(a: MechanismEvent, b: MechanismEvent): boolean {
  return a === b || JSON.stringify(a) === JSON.stringify(b);
}
