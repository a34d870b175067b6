import type { Identity, PublicKey } from '../shared/crypto/identity.ts';
import type { Notice, Receipt } from '../shared/protocol/messages.ts';
import { sealed } from '../shared/protocol/signed.ts';
import type { CoordinatorPort } from '../shared/protocol/transport.ts';
import type { Rng } from '../shared/random/rng.ts';
import type { RunId, SiteId } from '../shared/units.ts';
import { type After, createChanges, type Limits, systemAfter } from './changes.ts';
import { type Collection, type Expectation, openCollection } from './collection.ts';
import type { Inbox } from './inbox.ts';
import type { LedgerHeads } from './ledger-heads.ts';
import { createMailroom } from './mailroom.ts';
import { type Blobs, piecesOf } from './pieces.ts';
import { createSeats } from './seats.ts';
import { type Connection, openSession, type SessionDuties } from './session.ts';

export type { Collection, Expectation };

export interface DeskOptions {
  readonly run: RunId;
  readonly identity: Identity;
  /** The sites that may take part, by their public keys. */
  readonly sites: ReadonlyMap<SiteId, PublicKey>;
  /** What this run has seen of their ledgers. */
  readonly ledgers: LedgerHeads;
  /** Draws the challenges. */
  readonly rng: Rng;
  /** Model bytes by their hash. */
  readonly blob: Blobs;
  /** The timer of deadlines; the machine's own when left out. */
  readonly after?: After;
}

/** Where the coordinator and the connected sites meet: it knows who is who, asks, and collects, and decides nothing. */
export interface Desk extends CoordinatorPort {
  /** Ask sites for an upload; an earlier collection of the same stage and round closes. */
  expect<T>(expectation: Expectation<T>): Collection<T>;
  /** Sign a report or the run's last word and send it to every connected site. Who connects after a farewell hears it too. */
  announce(purpose: 'report' | 'farewell', value: unknown): void;
  /** Authenticated sites, sorted. */
  connected(): readonly SiteId[];
  /** Resolves when all these sites are connected, the deadline has passed or the signal aborted. */
  untilConnected(sites: readonly SiteId[], limits: Limits): Promise<void>;
  /** Resolves when no site is connected any more, or the deadline has passed. */
  untilEmpty(limits: Limits): Promise<void>;
  /** Messages refused so far, by error code. */
  refused(): Record<string, number>;
  /** Count on from the numbers before a restart. */
  restoreRefused(counts: Readonly<Record<string, number>>): void;
  /** End every connection and take no more. */
  close(): void;
}

/** The desk of one run. */
export function createDesk(options: DeskOptions): Desk {
  const { run, identity, sites, ledgers, rng, blob, after = systemAfter } = options;
  const changes = createChanges(after);
  const seats = createSeats(changes);
  const mailroom = createMailroom(run, sites);
  const refusals = createTally();
  const connections = createConnections();
  const receipt = receiptsOf(run, identity);
  let farewell: Notice | undefined;
  const duties: SessionDuties = {
    ...mailroom,
    ...{ run, identity, sites, ledgers, after, fetch: piecesOf(blob), refused: refusals.add },
    nonce: () => Buffer.from(rng.bytes(32)).toString('hex'),
    began: connections.add,
    joined: (site, connection) => {
      seats.join(site, connection, () => {
        for (const notice of [...mailroom.ordersFor(site), ...(farewell ? [farewell] : [])])
          connection.notify(notice);
      });
    },
    ended: (connection) => {
      connections.delete(connection);
      seats.leave(connection);
    },
  };
  return {
    connect: (peer) => openSession(peer, duties),
    expect: (expectation) => {
      const { purpose, value } = expectation.order;
      const order: Notice = { type: purpose, signed: sealed(identity, purpose, value) };
      const { collection, inbox } = openCollection(expectation, changes, { order, receipt, ledgers });
      mailroom.add(inbox);
      for (const site of expectation.sites) seats.notify(site, order);
      return collection;
    },
    announce: (purpose, value) => {
      const notice: Notice = { type: purpose, signed: sealed(identity, purpose, value) };
      if (purpose === 'farewell') farewell = notice;
      for (const site of seats.sites()) seats.notify(site, notice);
    },
    connected: seats.sites,
    untilConnected: (wanted, limits) => changes.until(() => wanted.every(seats.has), limits),
    untilEmpty: (limits) => changes.until(() => seats.sites().length === 0, limits),
    refused: refusals.counts,
    restoreRefused: refusals.restore,
    close: connections.close,
  };
}

function receiptsOf(run: RunId, identity: Identity): Inbox['receipt'] {
  return (site, { round, stage, sha256, ledger }) =>
    sealed(identity, 'receipt', { run, round, site, stage, sha256, ledger } satisfies Receipt);
}

interface Tally {
  readonly add: (code: string, count?: number) => void;
  readonly counts: () => Record<string, number>;
  readonly restore: (counts: Readonly<Record<string, number>>) => void;
}

function createTally(): Tally {
  const tally = new Map<string, number>();
  const add: Tally['add'] = (code, count = 1) => tally.set(code, (tally.get(code) ?? 0) + count);
  return {
    add,
    counts: () => Object.fromEntries([...tally].sort()),
    restore: (counts) => {
      for (const [code, count] of Object.entries(counts)) add(code, count);
    },
  };
}

interface Connections {
  /** Note a connection; after `close` it is ended at once. */
  readonly add: (connection: Connection) => void;
  readonly delete: (connection: Connection) => void;
  readonly close: () => void;
}

function createConnections(): Connections {
  const connections = new Set<Connection>();
  let isClosed = false;
  return {
    add: (connection) => {
      connections.add(connection);
      if (isClosed) connection.end();
    },
    delete: (connection) => connections.delete(connection),
    close: () => {
      isClosed = true;
      for (const connection of [...connections]) connection.end();
    },
  };
}
