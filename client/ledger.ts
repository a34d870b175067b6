import { existsSync } from 'node:fs';
import type { Kysely } from 'kysely';
import { sha256 } from '../shared/crypto/encoding.ts';
import type { LedgerEntry, MechanismEvent } from '../shared/privacy/accounting/event.ts';
import type { LedgerPosition } from '../shared/protocol/ledger-position.ts';
import type { RoundIndex, RunId, Sha256 } from '../shared/units.ts';
import {
  type Chain,
  checkedChain,
  extended,
  headOf,
  holds,
  type LedgerRecord,
  positionOf,
} from './ledger-chain.ts';
import { inspectDatabase, type LedgerFile, openDatabase, type Tables } from './ledger-database.ts';
import { drawnOnce, keptHash } from './ledger-drawn.ts';
import { claimFor, type GeneratorKind } from './ledger-generator.ts';
import { assertReachesMark, markKeeper, readMark } from './ledger-mark.ts';
import { logEmptier } from './ledger-secrecy.ts';
import * as store from './ledger-store.ts';
import { type EligibleUsers, type PackedUsers, packUsers, type UserWeights } from './ledger-users.ts';

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
  /** State of noise that is correlated over rounds; only the newest of a run is kept. */
  readonly noiseState?: Uint8Array;
  /** Who could have been in the release; everybody at weight 1 when left out. */
  readonly users?: EligibleUsers;
}

/** What a ledger says of the past. */
export interface LedgerView {
  /** All releases so far, over all runs, in order. */
  records(): readonly LedgerRecord[];
  /** Their events as a run-length list. */
  entries(): readonly LedgerEntry[];
  /** Hash of the newest entry; of nothing when there is none. */
  head(): Sha256;
  /** The same with the number of entries, as every signed message echoes it. */
  position(): LedgerPosition;
  /** Whether this chain had exactly that head when it had that many entries. */
  holds(position: LedgerPosition): boolean;
  /** The users that a record names by hash. Throws LEDGER_CORRUPT when their list is gone or changed. */
  users(usersSha256: Sha256): Promise<UserWeights>;
  /** Milliseconds since 1970 by the site's clock, never before the newest entry. */
  now(): number;
}

/**
 * The site's own privacy ledger: mechanism events of everything that ever left, on the site's own disk. A round is reserved
 * (in memory), computed, committed (entry and bytes in one transaction, then the mark), sent, and settled by a receipt.
 */
export interface SiteLedger extends LedgerView {
  /** Count a run's round as spent while it is computed, in memory, until the run commits or reserves another one. */
  reserve(run: RunId, event: MechanismEvent): void;
  /** What other runs have reserved. */
  reservedBesides(run: RunId): readonly { readonly run: RunId; readonly event: MechanismEvent }[];
  /**
   * The release of a round, if the ledger holds one. Throws RELEASE_FORFEITED when its bytes are lost, STALE_ROUND when they
   * were dropped because the round is settled.
   */
  release(run: RunId, round: RoundIndex): Promise<StoredRelease | undefined>;
  /** Entry and bytes in one durable transaction. Only after it returns may a byte be sent. */
  commit(release: NewRelease): Promise<StoredRelease>;
  /** Keep the coordinator's signed receipt of a release. Nothing happens when the ledger has no such release. */
  receive(run: RunId, round: RoundIndex, receipt: string): Promise<void>;
  /** The receipt of a release, if there is one. */
  receipt(run: RunId, round: RoundIndex): Promise<string | undefined>;
  /** The noise state of the run's newest release that brought one. Throws RELEASE_FORFEITED when it is lost. */
  noiseState(run: RunId): Promise<Uint8Array | undefined>;
  /** The audit roles of a run; `flip` is called, and its result kept, when there are none yet. */
  roles(run: RunId, flip: () => Int32Array): Promise<Int32Array>;
  /** The mislabelled canaries of a run, drawn and kept in the same way. */
  mislabelled(run: RunId, draw: () => Int32Array): Promise<Int32Array>;
  /** Hash of the table whose users a run's roles are of: the given one, kept, when there is none yet. */
  table(run: RunId, sha256: Sha256): Promise<Sha256>;
  close(): Promise<void>;
}

/** How a ledger is kept. */
export interface LedgerOptions {
  /** Milliseconds since 1970; the system's clock when left out. It may jump and run backwards: entries never do. */
  readonly clock?: () => number;
  /** `unsettled`: a new release of a run drops the bytes of its earlier ones that have a receipt. `all` when left out. */
  readonly keepReleases?: 'all' | 'unsettled';
  /** What the releases are drawn from; `secure` when left out. */
  readonly generator?: GeneratorKind;
}

/**
 * Open a site's ledger and check it.
 *
 * @throws DIRECTORY_UNWRITABLE when it cannot be opened; LEDGER_CORRUPT when an entry does not follow from the one before
 * it, when a release has lost its entry, when the file is damaged or another client has it; LEDGER_ROLLBACK when it is
 * older than what this site has sent: the site refuses to run until an administrator has restored the ledger; CONFIG_INVALID
 * when its releases are drawn from a generator of the other kind.
 */
export async function openLedger(path: string, options: LedgerOptions = {}): Promise<SiteLedger> {
  // A missing file is made, so a lost one has to be noticed before.
  if (!existsSync(path)) assertReachesMark(emptyChain, readMark(path), path);
  return openDatabase(path, async (file) => {
    const chain = await soundChain(file.db, path);
    await claimFor(options.generator ?? 'secure', file.db, path);
    return ledgerOn(file, { path, chain, ...options });
  });
}

/**
 * Look at a ledger, also while its client runs, without writing to it.
 *
 * @throws FILE_NOT_FOUND, DIRECTORY_UNWRITABLE, LEDGER_CORRUPT, LEDGER_ROLLBACK, what `look` throws.
 */
export async function inspectLedger<T>(
  path: string,
  look: (view: LedgerView, db: Kysely<Tables>) => Promise<T>,
  clock: () => number = wallClock,
): Promise<T> {
  return inspectDatabase(path, async (db) => {
    const chain = await soundChain(db, path);
    return look(
      viewOf(() => chain, db, clock),
      db,
    );
  });
}

const emptyChain: Chain = checkedChain([], '');

/** The mark is read first: a client that runs meanwhile only ever moves both forward. */
async function soundChain(db: Kysely<Tables>, path: string): Promise<Chain> {
  const mark = readMark(path);
  const chain = checkedChain(await store.entryRows(db), path);
  await store.assertNoneOrphaned(db, path);
  assertReachesMark(chain, mark, path);
  return chain;
}

function wallClock(): number {
  return new Date().getTime();
}

function viewOf(chain: () => Chain, db: Kysely<Tables>, clock: () => number): LedgerView {
  return {
    records: () => chain().records,
    entries: () => chain().entries,
    head: () => headOf(chain()),
    position: () => positionOf(chain()),
    holds: (position) => holds(chain(), position),
    users: (hash) => store.usersOf(db, hash),
    now: () => Math.max(Math.floor(clock()), chain().records.at(-1)?.timeMs ?? 0),
  };
}

interface Opened extends LedgerOptions {
  readonly path: string;
  readonly chain: Chain;
}

function ledgerOn({ db, close }: LedgerFile, opened: Opened): SiteLedger {
  const { path, clock = wallClock, keepReleases = 'all' } = opened;
  let { chain } = opened;
  const mark = markKeeper(path);
  mark(chain);
  const view = viewOf(() => chain, db, clock);
  const reservations = new Map<RunId, MechanismEvent>();
  const pack = rememberedPack();
  const emptyLog = logEmptier(db);
  const find = (run: RunId, round: RoundIndex): LedgerRecord | undefined =>
    chain.records.find((record) => record.run === run && record.round === round);
  return {
    ...view,
    reserve: (run, event) => void reservations.set(run, event),
    reservedBesides: (run) =>
      [...reservations].filter(([other]) => other !== run).map(([other, event]) => ({ run: other, event })),
    release: async (run, round) => {
      const record = find(run, round);
      if (!record) return undefined;
      mark(chain);
      return storedRelease(record, await store.releaseBytes(db, record));
    },
    commit: async (release) => {
      const { bytes, noiseState } = release;
      const users = release.users && pack(release.users);
      const record = recordOf(release, users?.sha256, view.now());
      const next = extended(chain, record);
      const dropReceived = keepReleases === 'unsettled';
      await store.storeRelease(db, next.row, { bytes, noiseState, users, dropReceived });
      chain = next.chain;
      reservations.delete(release.run);
      mark(chain);
      await emptyLog(noiseState !== undefined);
      return storedRelease(record, bytes);
    },
    receive: async (run, round, receipt) => {
      if (find(run, round)) await store.storeReceipt(db, { run, round, receipt });
      await emptyLog(false);
    },
    receipt: (run, round) => store.receiptOf(db, run, round),
    noiseState: async (run) => {
      const hash = newestNoise(chain, run);
      return hash && store.noiseStateOf(db, run, hash);
    },
    roles: (run, flip) => drawnOnce(db, run, flip),
    mislabelled: (run, draw) => drawnOnce(db, `${run} mislabelled`, draw),
    table: (run, hash) => keptHash(db, `${run} table`, hash),
    close,
  };
}

function newestNoise({ records }: Chain, run: RunId): Sha256 | undefined {
  return records.findLast((record) => record.run === run && record.noiseStateSha256)?.noiseStateSha256;
}

function recordOf(release: NewRelease, usersSha256: Sha256 | undefined, timeMs: number): LedgerRecord {
  const { run, round, planSha256, event, bytes, noiseState } = release;
  return {
    ...{ run, round, timeMs, planSha256, event, usersSha256 },
    releaseSha256: sha256(bytes),
    noiseStateSha256: noiseState && sha256(noiseState),
  };
}

function storedRelease({ planSha256, releaseSha256 }: LedgerRecord, bytes: Uint8Array): StoredRelease {
  return { planSha256, sha256: releaseSha256, bytes };
}

/** Packs each list of users once, for as long as somebody holds it. */
function rememberedPack(): (users: EligibleUsers) => PackedUsers {
  const known = new WeakMap<EligibleUsers, PackedUsers>();
  return (users) => {
    const packed = known.get(users) ?? packUsers(users);
    known.set(users, packed);
    return packed;
  };
}
