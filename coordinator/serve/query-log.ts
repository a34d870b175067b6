import { z } from 'zod';
import { sha256 } from '../../shared/crypto/encoding.ts';
import { ParleyError } from '../../shared/errors.ts';
import { parsedJson } from '../../shared/protocol/json.ts';
import { Sha256 } from '../../shared/units.ts';
import { nothingSpent, type Spent, spentAfter } from './budget.ts';
import { detectors } from './monitor/settings.ts';
import { type Alarms, alarmsAfter, type Standing, standingAfter } from './standing.ts';

const count = z.number().int().nonnegative();

/** What the log says of one request that was observed, or of a start of the server. No record, no answer, no digest of either. */
const Content = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('start'), timeMs: count, modelSha256: Sha256 }),
  z.strictObject({
    type: z.literal('query'),
    timeMs: count,
    caller: z.string(),
    /** Records in the request, and those of them that were answered. */
    records: count,
    answered: count,
    alarms: z.array(
      z.strictObject({
        detector: z.enum(detectors),
        group: z.string().nullable(),
        evidence: z.number(),
        action: z.enum(['warn', 'harden', 'block']),
      }),
    ),
  }),
]);
export type Content = z.infer<typeof Content>;

/** One line: what happened, chained to the line before. */
const Line = z.strictObject({
  position: count,
  content: Content,
  previous: Sha256,
  hash: Sha256,
});
type Line = z.infer<typeof Line>;

/** Where a log has come to. */
export interface Head {
  /** Number of lines. */
  readonly length: number;
  readonly hash: Sha256;
}

/** Head of an empty log. */
export const emptyLog: Head = { length: 0, hash: sha256('parley/1 query log') };

/** The log with one more line: its new head, and the line without its line break. */
export function appended(
  { length, hash: previous }: Head,
  unordered: Content,
): { readonly head: Head; readonly line: string } {
  // Parsing puts the fields into the order in which they will be read, and hashed, again.
  const content = Content.parse(unordered);
  const hash = hashOf({ position: length, content, previous });
  const line = JSON.stringify({ position: length, content, previous, hash });
  return { head: { length: length + 1, hash }, line };
}

/**
 * The content of a line that follows `head`.
 *
 * @throws QUERY_LOG_CORRUPT when it does not.
 */
export function nextContent(head: Head, line: string, path: string): { head: Head; content: Content } {
  const parsed = Line.safeParse(parsedJson(line));
  if (!parsed.success) throw corrupt(`${path}, line ${head.length + 1} cannot be read`);
  const { position, previous, hash, content } = parsed.data;
  const follows = position === head.length && previous === head.hash && hash === hashOf(parsed.data);
  if (!follows) throw corrupt(`${path}, line ${head.length + 1} does not follow from the one before it`);
  return { head: { length: head.length + 1, hash }, content };
}

/** What is known of a caller from the log. */
export interface CallerHistory {
  readonly spent: Spent;
  readonly alarms: Alarms;
  readonly standing: Standing;
}

/** A caller who never asked. */
export const noHistory: CallerHistory = { spent: nothingSpent, alarms: {}, standing: 'fine' };

/**
 * A caller's history after one more line of the log at this position; alarms at positions below `forgivenBelow` do not count, what
 * was spent always does.
 */
export function historyAfter(
  before: CallerHistory,
  content: Extract<Content, { type: 'query' }>,
  { position, forgivenBelow = 0 }: { readonly position: number; readonly forgivenBelow?: number },
): CallerHistory {
  const spent = spentAfter(before.spent, content.answered, content.timeMs);
  const alarms = position < forgivenBelow ? [] : content.alarms;
  return {
    spent,
    alarms: alarmsAfter(before.alarms, alarms),
    standing: standingAfter(before.standing, alarms),
  };
}

/** What is said of a log that is no chain. */
export function corrupt(what: string): ParleyError {
  return new ParleyError(
    'QUERY_LOG_CORRUPT',
    `${what}: budgets and alarms cannot be known. Nothing is answered until the log is restored from a copy that holds every line`,
  );
}

/** What is said of a log whose lines a server no longer knows: they may be those of another one, so nothing need be lost. */
export function writtenByOthers(path: string): ParleyError {
  return new ParleyError(
    'QUERY_LOG_CORRUPT',
    `another program has written to ${path} while this server ran on it: budgets and alarms cannot be known, and nothing is ` +
      'answered. End the other program, such as a second server, then this one, and start this one again: it reads the whole log',
  );
}

function hashOf({ position, content, previous }: Omit<Line, 'hash'>): Sha256 {
  return sha256(`${previous}\n${position}\n${JSON.stringify(content)}`);
}
