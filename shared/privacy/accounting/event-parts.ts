import type { MechanismEvent, SingleEvent } from './event.ts';

/** The single events that an event is made of, each once however often it is repeated. */
export function partsOf(event: MechanismEvent): readonly SingleEvent[] {
  if (event.type === 'composition') return event.events.flatMap(partsOf);
  return event.type === 'repetition' ? partsOf(event.event) : [event];
}

/** The same event with its single events changed. */
export function withParts(
  event: MechanismEvent,
  change: (part: SingleEvent) => MechanismEvent,
): MechanismEvent {
  if (event.type === 'composition')
    return { ...event, events: event.events.map((part) => withParts(part, change)) };
  if (event.type === 'repetition') return { ...event, event: withParts(event.event, change) };
  return change(event);
}

/** What is left of an event when only some of its single events count; undefined when none does. */
export function onlyParts(
  event: MechanismEvent,
  isKept: (part: SingleEvent) => boolean,
): MechanismEvent | undefined {
  if (event.type === 'composition') {
    const kept = event.events.map((part) => onlyParts(part, isKept)).filter((part) => part !== undefined);
    return kept.length === 0 ? undefined : { ...event, events: kept };
  }
  if (event.type === 'repetition') {
    const kept = onlyParts(event.event, isKept);
    return kept && { ...event, event: kept };
  }
  return isKept(event) ? event : undefined;
}
