import type { Kysely } from 'kysely';
import { lengthPrefixed, sha256 } from '../shared/crypto/encoding.ts';
import { ParleyError } from '../shared/errors.ts';
import { appendEvent } from '../shared/privacy/accounting/entries.ts';
import { type LedgerEntry, MechanismEvent } from '../shared/privacy/accounting/event.ts';
import { rdpEpsilon } from '../shared/privacy/accounting/rdp-accountant.ts';
import { parsedJson } from '../shared/protocol/json.ts';
import { type Delta, type Epsilon, type RoundIndex, type RunId, Sha256 } from '../shared/units.ts';
import { corrupt, openDatabase, type Tables } from './ledger-database.ts';

/** A release as the ledger keeps it. */
export interface StoredRelease {
  readonly planSha256: Sha256;
  readonly sha256: Sha256;
  readonly bytes: Uint8Array;
}

/** What is about to be released. */
export interface NewRelease {
  readonly run: RunId;
  readonly round: RoundIndex;
  readonly planSha256: Sha256;
  readonly event: MechanismEvent;
  readonly bytes: Uint8Array;
}

/** The site's own privacy ledger: mechanism events of everything that ever left, on the site's own disk. */
export interface SiteLedger {
  /** All events so far, over all runs, as a run-length list. */
  entries(): readonly LedgerEntry[];
  /** Hash of the newest entry; of nothing when there is none. */
  head(): Sha256;
  /** The release of a round, if the ledger holds one. */
  release(run: RunId, round: RoundIndex): Promise<StoredRelease | undefined>;
  /** Entry and bytes in one durable transaction. Only after it returns may a byte be sent. */
  commit(release: NewRelease): Promise<StoredRelease>;
  /** The audit roles of a run; `flip` is called, and its result kept, when there are none yet. */
  roles(run: RunId, flip: () => Int32Array): Promise<Int32Array>;
  close(): Promise<void>;
}

const genesis = sha256('parley/1 ledger');

/**
 * Open a site's ledger and check its chain.
 *
 * @throws DIRECTORY_UNWRITABLE when it cannot be opened; LEDGER_CORRUPT when an entry does not follow from the one before
 * it, when a release has lost its entry or when the file is damaged: the site refuses to run until an administrator has
 * restored the ledger.
 */
export async function openLedger(path: string): Promise<SiteLedger> {
  return openDatabase(path, async (db) => {
    const chain = await checkedChain(db, path);
    await assertNoneOrphaned(db, path);
    return ledgerOn(db, chain);
  });
}

function ledgerOn(db: Kysely<Tables>, opened: Chain): SiteLedger {
  let chain = opened;
  return {
    entries: () => chain.entries,
    head: () => chain.head,
    release: (run, round) => storedRelease(db, run, round),
    commit: async (release) => {
      const { hash, stored } = await insertRelease(db, chain.head, release);
      chain = { entries: appendEvent(chain.entries, release.event), head: hash };
      return stored;
    },
    roles: async (run, flip) => (await storedRoles(db, run)) ?? keptRoles(db, run, flip()),
    close: () => db.destroy(),
  };
}

/** Epsilon that the ledger covers at `delta`, with `event` on top when there is one. */
export function ledgerEpsilon(ledger: SiteLedger, delta: Delta, event?: MechanismEvent): Epsilon {
  return rdpEpsilon(event ? appendEvent(ledger.entries(), event) : ledger.entries(), delta);
}

interface Chain {
  readonly entries: readonly LedgerEntry[];
  readonly head: Sha256;
}

async function checkedChain(db: Kysely<Tables>, path: string): Promise<Chain> {
  const rows = await db.selectFrom('entry').selectAll().orderBy('position').execute();
  let chain: Chain = { entries: [], head: genesis };
  for (const [position, row] of rows.entries()) {
    const event = MechanismEvent.safeParse(parsedJson(row.event));
    const intact =
      row.position === position && row.previous_hash === chain.head && row.hash === entryHash(row);
    if (!intact || !event.success)
      throw corrupt(`${path}: entry ${position} does not follow from the one before it`);
    chain = { entries: appendEvent(chain.entries, event.data), head: Sha256.parse(row.hash) };
  }
  return chain;
}

/** A chain that lost its newest entries is still a chain, but their bytes stay behind. */
async function assertNoneOrphaned(db: Kysely<Tables>, path: string): Promise<void> {
  const orphan = await db
    .selectFrom('release')
    .leftJoin('entry', (join) =>
      join.onRef('entry.run', '=', 'release.run').onRef('entry.round', '=', 'release.round'),
    )
    .select(['release.run', 'release.round'])
    .where('entry.hash', 'is', null)
    .executeTakeFirst();
  if (orphan)
    throw corrupt(`${path}: run ${orphan.run}, round ${orphan.round} was released but has no entry any more`);
}

function entryHash(row: Omit<Tables['entry'], 'hash' | 'position'>): Sha256 {
  const fields = [
    row.previous_hash,
    row.run,
    String(row.round),
    row.plan_sha256,
    row.event,
    row.release_sha256,
  ];
  return sha256(lengthPrefixed(fields));
}

async function insertRelease(
  db: Kysely<Tables>,
  head: Sha256,
  { run, round, planSha256, event, bytes }: NewRelease,
): Promise<{ hash: Sha256; stored: StoredRelease }> {
  const releaseSha256 = sha256(bytes);
  const row = {
    run,
    round,
    plan_sha256: planSha256,
    event: JSON.stringify(event),
    release_sha256: releaseSha256,
    previous_hash: head,
  };
  const hash = entryHash(row);
  await db.transaction().execute(async (transaction) => {
    const newest = await transaction
      .selectFrom('entry')
      .select(['position', 'hash'])
      .orderBy('position', 'desc')
      .executeTakeFirst();
    if ((newest?.hash ?? genesis) !== head) throw anotherWriter();
    await transaction
      .insertInto('entry')
      .values({ ...row, position: (newest?.position ?? -1) + 1, hash })
      .execute();
    await transaction.insertInto('release').values({ run, round, bytes }).execute();
  });
  return { hash, stored: { planSha256, sha256: releaseSha256, bytes } };
}

function anotherWriter(): ParleyError {
  return new ParleyError(
    'LEDGER_CORRUPT',
    'another process has written to the ledger since this one opened it, so what it holds is not known here: nothing is ' +
      'sent; run one client on a ledger, and start it again',
  );
}

async function storedRelease(
  db: Kysely<Tables>,
  run: RunId,
  round: RoundIndex,
): Promise<StoredRelease | undefined> {
  const entry = await db
    .selectFrom('entry')
    .select(['plan_sha256', 'release_sha256'])
    .where('run', '=', run)
    .where('round', '=', round)
    .executeTakeFirst();
  if (!entry) return undefined;
  const row = await db
    .selectFrom('release')
    .select('bytes')
    .where('run', '=', run)
    .where('round', '=', round)
    .executeTakeFirst();
  const bytes = row && new Uint8Array(row.bytes);
  if (!bytes || sha256(bytes) !== entry.release_sha256)
    throw new ParleyError(
      'RELEASE_FORFEITED',
      `run ${run}, round ${round}: the ledger has this release but its bytes are gone or changed; the round is forfeited ` +
        'and noise is not drawn a second time',
    );
  return { planSha256: Sha256.parse(entry.plan_sha256), sha256: Sha256.parse(entry.release_sha256), bytes };
}

async function storedRoles(db: Kysely<Tables>, run: RunId): Promise<Int32Array | undefined> {
  const row = await db.selectFrom('roles').select('bytes').where('run', '=', run).executeTakeFirst();
  return row && new Int32Array(new Uint8Array(row.bytes).buffer);
}

async function keptRoles(db: Kysely<Tables>, run: RunId, flipped: Int32Array): Promise<Int32Array> {
  await db
    .insertInto('roles')
    .values({ run, bytes: Buffer.from(flipped.buffer, flipped.byteOffset, flipped.byteLength) })
    .execute();
  return flipped;
}
