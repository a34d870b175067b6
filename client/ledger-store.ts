import { type Kysely, sql, type Transaction } from 'kysely';
import { sha256 } from '../shared/crypto/encoding.ts';
import { ParleyError } from '../shared/errors.ts';
import type { RoundIndex, RunId, Sha256 } from '../shared/units.ts';
import { corrupt, type EntryRow, genesis, type LedgerRecord } from './ledger-chain.ts';
import { blob, textOf } from './ledger-columns.ts';
import type { Tables } from './ledger-database.ts';
import { type PackedUsers, type UserWeights, unpackUsers } from './ledger-users.ts';

const integers = ['position', 'format', 'round', 'time_ms'] as const;
const texts = [
  'run',
  'plan_sha256',
  'event',
  'release_sha256',
  'noise_state_sha256',
  'users_sha256',
  'previous_hash',
  'hash',
] as const;

/** All entries in order of position, to be checked. */
export async function entryRows(db: Kysely<Tables>): Promise<unknown[]> {
  const columns = [
    ...integers.map((name) => sql`cast(${sql.ref(name)} as integer) as ${sql.ref(name)}`),
    ...texts.map((name) => sql`${blob(name)} as ${sql.ref(name)}`),
  ];
  const { rows } = await sql<
    Record<string, unknown>
  >`select ${sql.join(columns)} from entry order by position`.execute(db);
  return rows.map((row) =>
    Object.fromEntries(
      Object.entries(row).map(([name, value]) => [
        name,
        value instanceof ArrayBuffer ? textOf(new Uint8Array(value)) : value,
      ]),
    ),
  );
}

/** What is written together with an entry. */
export interface ReleaseContent {
  readonly bytes: Uint8Array;
  readonly noiseState: Uint8Array | undefined;
  readonly users: PackedUsers | undefined;
  /** Drop the bytes of the run's earlier releases that have a receipt. */
  readonly dropReceived: boolean;
}

/**
 * Write entry and content in one durable transaction.
 *
 * @throws LEDGER_CORRUPT when the file does not end where this process believes that it does.
 */
export async function storeRelease(
  db: Kysely<Tables>,
  row: EntryRow,
  { bytes, noiseState, users, dropReceived }: ReleaseContent,
): Promise<void> {
  const { run, round } = row;
  await db.transaction().execute(async (transaction) => {
    await assertNewestIs(transaction, row.previous_hash);
    await transaction.insertInto('entry').values(row).execute();
    if (users)
      await transaction
        .insertInto('users')
        .values(users)
        .onConflict((conflict) => conflict.doNothing())
        .execute();
    if (noiseState) await transaction.replaceInto('noise_state').values({ run, bytes: noiseState }).execute();
    if (dropReceived) await deleteReceived(transaction, run);
    await transaction.insertInto('release').values({ run, round, bytes }).execute();
  });
}

async function assertNewestIs(transaction: Transaction<Tables>, head: Sha256): Promise<void> {
  const newest = await transaction
    .selectFrom('entry')
    .select('hash')
    .orderBy('position', 'desc')
    .executeTakeFirst();
  if ((newest?.hash ?? genesis) === head) return;
  throw new ParleyError(
    'LEDGER_CORRUPT',
    'another process has written to the ledger since this one opened it, so what it holds is not known here: nothing is ' +
      'sent; run one client on a ledger, and start it again',
  );
}

async function deleteReceived(transaction: Transaction<Tables>, run: RunId): Promise<void> {
  await transaction
    .deleteFrom('release')
    .where('run', '=', run)
    .where('round', 'in', (query) => query.selectFrom('receipt').select('round').where('run', '=', run))
    .execute();
}

/**
 * The bytes of a release.
 *
 * @throws STALE_ROUND when they were dropped after the coordinator had confirmed them; RELEASE_FORFEITED when they are lost.
 */
export async function releaseBytes(db: Kysely<Tables>, record: LedgerRecord): Promise<Uint8Array> {
  const { run, round, releaseSha256 } = record;
  const row = await db
    .selectFrom('release')
    .select(blob('bytes').as('bytes'))
    .where('run', '=', run)
    .where('round', '=', round)
    .executeTakeFirst();
  const bytes = row?.bytes && new Uint8Array(row.bytes);
  if (bytes && sha256(bytes) === releaseSha256) return bytes;
  if (!row && (await receiptOf(db, run, round)) !== undefined)
    throw new ParleyError(
      'STALE_ROUND',
      `run ${run}, round ${round} is settled: the coordinator confirmed this site's release and later rounds followed, so its ` +
        'bytes were dropped (keepReleases: unsettled)',
    );
  throw forfeited(
    `run ${run}, round ${round}: the ledger has this release but its bytes are`,
    'the round is',
  );
}

/** Where the bytes of releases are. */
export interface ReleaseCounts {
  readonly kept: number;
  /** Dropped after the coordinator had confirmed them. */
  readonly settled: number;
  /** Gone or changed: their rounds are forfeited. */
  readonly lost: number;
}

/** Look at the bytes of all releases. */
export async function releaseCounts(
  db: Kysely<Tables>,
  records: readonly LedgerRecord[],
): Promise<ReleaseCounts> {
  const counts = { kept: 0, settled: 0, lost: 0 };
  for (const record of records)
    try {
      await releaseBytes(db, record);
      counts.kept++;
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      counts[error.code === 'STALE_ROUND' ? 'settled' : 'lost']++;
    }
  return counts;
}

/** The receipt of a release, if there is one. */
export async function receiptOf(
  db: Kysely<Tables>,
  run: RunId,
  round: RoundIndex,
): Promise<string | undefined> {
  const row = await db
    .selectFrom('receipt')
    .select(blob('receipt').as('receipt'))
    .where('run', '=', run)
    .where('round', '=', round)
    .executeTakeFirst();
  return row?.receipt ? textOf(new Uint8Array(row.receipt)) : undefined;
}

/** Keep a receipt; the first one stays. */
export async function storeReceipt(db: Kysely<Tables>, row: Tables['receipt']): Promise<void> {
  await db
    .insertInto('receipt')
    .values(row)
    .onConflict((conflict) => conflict.doNothing())
    .execute();
}

/**
 * State of a run's noise, as the entry named it.
 *
 * @throws RELEASE_FORFEITED when it is lost: noise that was added cannot be taken back any more, and is not drawn anew.
 */
export async function noiseStateOf(db: Kysely<Tables>, run: RunId, hash: Sha256): Promise<Uint8Array> {
  const row = await db
    .selectFrom('noise_state')
    .select(blob('bytes').as('bytes'))
    .where('run', '=', run)
    .executeTakeFirst();
  const bytes = row?.bytes && new Uint8Array(row.bytes);
  if (bytes && sha256(bytes) === hash) return bytes;
  throw forfeited(`run ${run}: the state of its correlated noise is`, 'the rounds that are left are');
}

function forfeited(what: string, consequence: string): ParleyError {
  return new ParleyError(
    'RELEASE_FORFEITED',
    `${what} gone or changed; ${consequence} forfeited and noise is not drawn a second time`,
  );
}

/**
 * The users that entries name by this hash.
 *
 * @throws LEDGER_CORRUPT when their list is gone or changed.
 */
export async function usersOf(db: Kysely<Tables>, hash: Sha256): Promise<UserWeights> {
  const row = await db
    .selectFrom('users')
    .select(blob('bytes').as('bytes'))
    .where('sha256', '=', hash)
    .executeTakeFirst();
  const bytes = row?.bytes && new Uint8Array(row.bytes);
  const users = bytes && sha256(bytes) === hash ? unpackUsers(bytes) : undefined;
  if (!users) throw corrupt(`the list of users ${hash} is gone or changed`);
  return users;
}

/** A chain that lost its newest entries is still a chain, but what belongs to them stays behind. */
export async function assertNoneOrphaned(db: Kysely<Tables>, path: string): Promise<void> {
  for (const table of ['release', 'receipt'] as const) {
    const orphan = await db
      .selectFrom(table)
      .leftJoin('entry', (join) =>
        join.onRef('entry.run', '=', `${table}.run`).onRef('entry.round', '=', `${table}.round`),
      )
      .select([
        blob(`${table}.run`).as('run'),
        sql<number>`cast(${sql.ref(`${table}.round`)} as integer)`.as('round'),
      ])
      .where('entry.hash', 'is', null)
      .executeTakeFirst();
    if (orphan)
      throw corrupt(
        `${path}: run ${textOf(new Uint8Array(orphan.run ?? []))}, round ${orphan.round} was released but has no entry any more`,
      );
  }
}
