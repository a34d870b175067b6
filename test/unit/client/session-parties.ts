import type { Greeting } from '../../../client/greet.ts';
import { type Order, openSession, type Session } from '../../../client/session.ts';
import { type Identity, identityFrom } from '../../../shared/crypto/identity.ts';
import { type Hello, welcomeTo } from '../../../shared/protocol/handshake.ts';
import type { LedgerPosition } from '../../../shared/protocol/ledger-position.ts';
import { type Notice, type Reply, Request } from '../../../shared/protocol/messages.ts';
import { protocolVersion } from '../../../shared/protocol/plan.ts';
import { sealed } from '../../../shared/protocol/signed.ts';
import type { Connect, CoordinatorPort, Peer } from '../../../shared/protocol/transport.ts';
import { RunId, SiteId } from '../../../shared/units.ts';
import { position } from '../../support/ledger-positions.ts';

/** The run that everybody here speaks of. */
export const run = RunId.parse('run-1');
/** The site that opens sessions. */
export const site = SiteId.parse('alpha');
/** The coordinator that sites are configured with. */
export const coordinator = anIdentity(1);
/** The site's own identity. */
export const identity = anIdentity(2);
const nonce = 'ab'.repeat(32);
/** An order of the coordinator. */
export const order: Notice = { type: 'plan', signed: sealed(coordinator, 'plan', {}) };

/** A session, and what it was heard to say. */
export interface Heard {
  readonly orders: Order[];
  readonly notes: string[];
  readonly fatal: Promise<unknown>;
  readonly session: Session;
}

/** A ledger of so many entries, which has been at every position below. */
export function aLedger(length: number, history = 'a'): Greeting['ledger'] {
  return {
    position: () => position(length, history),
    holds: (other) => other.length <= length && other.head === position(other.length, history).head,
  };
}

/** The site's session over this connection, with something changed in its greeting. */
export function open(connect: Connect, change: Partial<Greeting> = {}): Heard {
  const [orders, notes]: [Order[], string[]] = [[], []];
  let failed: (error: unknown) => void = () => undefined;
  const fatal = new Promise<unknown>((resolve) => {
    failed = resolve;
  });
  const session = openSession({
    greeting: { site, identity, coordinatorKey: coordinator.publicKey, ledger: aLedger(3), ...change },
    connect,
    onOrder: (heard) => orders.push(heard),
    onFatal: failed,
    note: (text) => notes.push(text),
  });
  return { orders, notes, fatal, session };
}

/** A coordinator by hand: `answer` is its reply to everything, `before` what it says before any hello. */
export function aCoordinator(
  answer: (request: Request, peer: Peer) => Reply,
  before: readonly unknown[] = [],
  version: number = protocolVersion,
): CoordinatorPort {
  return {
    connect: (peer) => {
      peer.notify({ type: 'challenge', protocolVersion: version, run, nonce });
      // Whatever a peer sends, it reaches the other side as it is.
      for (const notice of before) peer.notify(notice as Notice);
      return {
        request: (message) => Promise.resolve(answer(Request.parse(message), peer)),
        closed: () => undefined,
      };
    },
  };
}

/** Welcomes a hello, signed by this identity, with the ledger position that it says it has seen; accepts all else. */
export function welcomeBy(
  signer: Identity,
  seen: (hello: Hello) => LedgerPosition | null = () => null,
): (request: Request) => Reply {
  return (request) => {
    if (request.type !== 'hello') return { type: 'accepted' };
    const parties = { run, site, coordinator: coordinator.publicKey };
    return welcomeTo(request, parties, signer, { challengeNonce: nonce, ledger: seen(request) });
  };
}

/** A request that any coordinator may be sent. */
export const aRequest: Request = { type: 'decline', signed: sealed(identity, 'decline', {}) };

/** An identity by number. */
export function anIdentity(byte: number): Identity {
  return identityFrom(new Uint8Array(32).fill(byte));
}
