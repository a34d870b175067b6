import { z } from 'zod';
import { lengthPrefixed, sha256 } from '../shared/crypto/encoding.ts';
import { ParleyError } from '../shared/errors.ts';
import { appendEvent } from '../shared/privacy/accounting/entries.ts';
import { type LedgerEntry, MechanismEvent } from '../shared/privacy/accounting/event.ts';
import { parsedJson } from '../shared/protocol/json.ts';
import type { LedgerPosition } from '../shared/protocol/ledger-position.ts';
import { RoundIndex, RunId, Sha256 } from '../shared/units.ts';

/** The format of an entry; it rises whenever what is hashed changes, and stands in every entry and its hash. */
export const entryFormat = 2;

/** One release as the chain names it. `previous_hash` and `hash` chain it. */
export const EntryRow = z.strictObject({
  position: z.number().int().nonnegative(),
  format: z.literal(entryFormat),
  run: RunId,
  round: RoundIndex,
  /** Milliseconds since 1970 by the site's clock, never before the entry before. */
  time_ms: z.number().int().nonnegative(),
  plan_sha256: Sha256,
  event: z.string(),
  release_sha256: Sha256,
  /** State of correlated noise that came with the release. */
  noise_state_sha256: Sha256.nullable(),
  /** The users who could have been in it; null when that is not known. */
  users_sha256: Sha256.nullable(),
  previous_hash: Sha256,
  hash: Sha256,
});
export type EntryRow = z.infer<typeof EntryRow>;

/** One release, read. */
export interface LedgerRecord {
  readonly run: RunId;
  readonly round: RoundIndex;
  readonly timeMs: number;
  readonly planSha256: Sha256;
  readonly event: MechanismEvent;
  readonly releaseSha256: Sha256;
  readonly noiseStateSha256: Sha256 | undefined;
  readonly usersSha256: Sha256 | undefined;
}

/** All releases of a site in order. `hashes` has one for each, and `entries` their events as a run-length list. */
export interface Chain {
  readonly records: readonly LedgerRecord[];
  readonly hashes: readonly Sha256[];
  readonly entries: readonly LedgerEntry[];
}

/** Head of an empty ledger. */
export const genesis = sha256('parley/1 ledger');

/** Hash of an entry: of everything it says and of the hash before. */
export function entryHash(row: Omit<EntryRow, 'hash' | 'position'>): Sha256 {
  const fields = [
    String(row.format),
    row.previous_hash,
    row.run,
    String(row.round),
    String(row.time_ms),
    row.plan_sha256,
    row.event,
    row.release_sha256,
    row.noise_state_sha256 ?? '',
    row.users_sha256 ?? '',
  ];
  return sha256(lengthPrefixed(fields));
}

/**
 * The chain of these rows, in order of position.
 *
 * @throws LEDGER_CORRUPT when one does not follow from the one before it, or is of a format that is not known here.
 */
export function checkedChain(rows: readonly unknown[], path: string): Chain {
  const records: LedgerRecord[] = [];
  const hashes: Sha256[] = [];
  for (const [position, found] of rows.entries()) {
    const row = EntryRow.safeParse(found);
    if (!row.success) throw corrupt(`${path}: entry ${position} ${complaint(found)}`);
    const record = recordOf(row.data);
    const intact =
      row.data.position === position &&
      row.data.previous_hash === (hashes.at(-1) ?? genesis) &&
      row.data.hash === entryHash(row.data);
    if (!intact || !record)
      throw corrupt(`${path}: entry ${position} does not follow from the one before it`);
    records.push(record);
    hashes.push(row.data.hash);
  }
  return { records, hashes, entries: records.reduce<readonly LedgerEntry[]>(withEvent, []) };
}

function withEvent(entries: readonly LedgerEntry[], { event }: LedgerRecord): readonly LedgerEntry[] {
  return appendEvent(entries, event);
}

function complaint(row: unknown): string {
  const { format } = z
    .object({ format: z.number().default(1) })
    .catch({ format: NaN })
    .parse(row);
  return Number.isInteger(format) && format !== entryFormat
    ? `has format ${format}, and this version of Parley reads format ${entryFormat}: use the version that wrote it`
    : 'cannot be read';
}

function recordOf(row: EntryRow): LedgerRecord | undefined {
  const event = MechanismEvent.safeParse(parsedJson(row.event));
  if (!event.success) return undefined;
  return {
    run: row.run,
    round: row.round,
    timeMs: row.time_ms,
    planSha256: row.plan_sha256,
    event: event.data,
    releaseSha256: row.release_sha256,
    noiseStateSha256: row.noise_state_sha256 ?? undefined,
    usersSha256: row.users_sha256 ?? undefined,
  };
}

/** The chain with one more release at its end, and the row that says so. */
export function extended(
  chain: Chain,
  record: LedgerRecord,
): { readonly chain: Chain; readonly row: EntryRow } {
  const content = {
    format: entryFormat,
    run: record.run,
    round: record.round,
    time_ms: record.timeMs,
    plan_sha256: record.planSha256,
    event: JSON.stringify(record.event),
    release_sha256: record.releaseSha256,
    noise_state_sha256: record.noiseStateSha256 ?? null,
    users_sha256: record.usersSha256 ?? null,
    previous_hash: headOf(chain),
  } as const;
  const row = { ...content, position: chain.records.length, hash: entryHash(content) };
  return {
    row,
    chain: {
      records: [...chain.records, record],
      hashes: [...chain.hashes, row.hash],
      entries: appendEvent(chain.entries, record.event),
    },
  };
}

/** Hash of the newest entry, of the beginning when there is none. */
export function headOf({ hashes }: Chain): Sha256 {
  return hashes.at(-1) ?? genesis;
}

/** The same with the number of entries. */
export function positionOf(chain: Chain): LedgerPosition {
  return { length: chain.records.length, head: headOf(chain) };
}

/** Whether the chain had exactly that head when it had that many entries. */
export function holds({ hashes }: Chain, { length, head }: LedgerPosition): boolean {
  return (length === 0 ? genesis : hashes[length - 1]) === head;
}

/** What a site says of a ledger that it cannot rely on. */
export function corrupt(what: string, cause?: unknown): ParleyError {
  return new ParleyError(
    'LEDGER_CORRUPT',
    `${what}. Nothing is trained until the ledger is restored from a backup that holds every release`,
    { cause },
  );
}
