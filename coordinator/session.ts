import { z } from 'zod';
import type { Identity, PublicKey } from '../shared/crypto/identity.ts';
import { assertNever, type ErrorCode, ParleyError } from '../shared/errors.ts';
import { type Hello, isHelloGenuine, welcomeTo } from '../shared/protocol/handshake.ts';
import { type Notice, type Reply, Request, type Signed } from '../shared/protocol/messages.ts';
import { protocolVersion } from '../shared/protocol/plan.ts';
import type { Peer, Session } from '../shared/protocol/transport.ts';
import type { RunId, SiteId } from '../shared/units.ts';
import type { After } from './changes.ts';
import type { LedgerHeads } from './ledger-heads.ts';
import { isOwnFault } from './own-fault.ts';
import type { Chunk } from './uploads.ts';

/** A connection must say hello within this time. */
const helloWithinMs = 5000;
/** A connection with so many refused messages is ended. */
const maxRefusals = 20;

/** One connection, as the desk sees it. */
export interface Connection {
  readonly notify: (notice: Notice) => void;
  readonly end: () => void;
}

/** What a connection needs of the desk behind it. */
export interface SessionDuties {
  readonly run: RunId;
  readonly identity: Identity;
  readonly sites: ReadonlyMap<SiteId, PublicKey>;
  readonly ledgers: LedgerHeads;
  /** 32 fresh random bytes in hexadecimal. */
  nonce(): string;
  readonly after: After;
  /** A connection came up; it may be ended at once. */
  began(connection: Connection): void;
  /** The connection proved to be this site's. */
  joined(site: SiteId, connection: Connection): void;
  ended(connection: Connection): void;
  refused(code: ErrorCode): void;
  fetch(wanted: Extract<Request, { type: 'fetch' }>): Promise<Reply>;
  offer(site: SiteId, signed: Signed): Reply | Promise<Reply>;
  decline(site: SiteId, signed: Signed): Reply | Promise<Reply>;
  chunk(site: SiteId, chunk: Chunk): Reply | Promise<Reply>;
}

/** Lead one connection from its challenge to its end. Whatever comes in, it never throws. */
export function openSession(peer: Peer, duties: SessionDuties): Session {
  const challenge = duties.nonce();
  const line = openLine(peer, duties);
  let site: SiteId | undefined;
  let refusals = 0;
  const greet = (hello: Hello): Reply => {
    const welcome = welcomed(hello, challenge, duties);
    if (site !== undefined && site !== hello.site)
      throw new ParleyError(
        'MESSAGE_INVALID',
        `this connection is site ${site}'s: open another for ${hello.site}`,
      );
    if (site === undefined) {
      site = hello.site;
      line.identified();
      duties.joined(site, line);
    }
    return welcome;
  };
  const handle = (message: unknown): Reply | Promise<Reply> => {
    if (!line.isOpen())
      throw new ParleyError('NOT_AUTHENTICATED', 'this connection has ended: connect again');
    const request = parsed(message, site !== undefined);
    if (request.type === 'hello') return greet(request);
    if (site === undefined) throw unauthenticated();
    return answer(request, site, duties);
  };
  const refuse = (error: unknown): Reply => {
    const reply = refusal(error);
    duties.refused(reply.code);
    refusals += 1;
    // After the reply is on its way, so that the last refusal is heard too.
    if (refusals === maxRefusals) setImmediate(line.end);
    return reply;
  };
  line.notify({ type: 'challenge', protocolVersion, run: duties.run, nonce: challenge });
  return {
    request: async (message) => {
      try {
        return await handle(message);
      } catch (error) {
        return refuse(error);
      }
    },
    closed: line.closed,
  };
}

interface Line extends Connection {
  readonly isOpen: () => boolean;
  /** The hello came in time. */
  readonly identified: () => void;
  readonly closed: () => void;
}

function openLine(peer: Peer, duties: SessionDuties): Line {
  let isOpen = true;
  const closed = (): void => {
    if (!isOpen) return;
    isOpen = false;
    cancelHello();
    duties.ended(line);
  };
  const end = (): void => {
    if (isOpen) peer.disconnect();
    closed();
  };
  const notify = (notice: Notice): void => {
    if (isOpen) peer.notify(notice);
  };
  const cancelHello = duties.after(helloWithinMs, end);
  const line: Line = { isOpen: () => isOpen, identified: cancelHello, closed, end, notify };
  duties.began(line);
  return line;
}

type Asked = Exclude<Request, { type: 'hello' }>;

function answer(request: Asked, site: SiteId, duties: SessionDuties): Reply | Promise<Reply> {
  switch (request.type) {
    case 'fetch':
      return duties.fetch(request);
    case 'decline':
      return duties.decline(site, request.signed);
    case 'offer':
      return duties.offer(site, request.signed);
    case 'chunk':
      return duties.chunk(site, request);
    default:
      return assertNever(request);
  }
}

const Tagged = z.looseObject({ type: z.string() });
const Versioned = z.looseObject({ type: z.literal('hello'), protocolVersion: z.number() });

/** The type and version of a hello are read before anything else, so that peers of any version get the right refusal. */
function parsed(message: unknown, isAuthenticated: boolean): Request {
  if (!isAuthenticated && Tagged.safeParse(message).data?.type !== 'hello') throw unauthenticated();
  const version = Versioned.safeParse(message).data?.protocolVersion ?? protocolVersion;
  if (version !== protocolVersion)
    throw new ParleyError(
      'PROTOCOL_MISMATCH',
      `this coordinator speaks protocol version ${protocolVersion}, the site ${version}: install the same release`,
    );
  const request = Request.safeParse(message);
  if (request.success) return request.data;
  throw new ParleyError(
    'MESSAGE_INVALID',
    `not a request of this protocol: ${z.prettifyError(request.error).slice(0, 500)}`,
  );
}

function welcomed(hello: Hello, challengeNonce: string, duties: SessionDuties): Reply {
  const { run, identity, sites, ledgers } = duties;
  if (sites.get(hello.site) !== hello.publicKey)
    throw new ParleyError(
      'UNKNOWN_KEY',
      `site ${hello.site} with key ${hello.publicKey.slice(0, 16)}... is not on this coordinator's list of sites`,
    );
  const parties = { run, site: hello.site, coordinator: identity.publicKey };
  if (!isHelloGenuine(hello, parties, challengeNonce))
    throw new ParleyError(
      'BAD_SIGNATURE',
      "the hello is not signed by its key for this connection's challenge, this run and this coordinator",
    );
  ledgers.assertNotOlder(hello.site, hello.ledger);
  return welcomeTo(hello, parties, identity, { challengeNonce, ledger: ledgers.newest(hello.site) });
}

function refusal(error: unknown): Extract<Reply, { type: 'refused' }> {
  if (error instanceof ParleyError && !isOwnFault(error))
    return { type: 'refused', code: error.code, detail: error.message };
  // Its text is not for peers; collections pass on what fails while storing.
  return {
    type: 'refused',
    code: 'INTERRUPTED',
    detail: 'the coordinator could not handle this: try again later',
  };
}

function unauthenticated(): ParleyError {
  return new ParleyError(
    'NOT_AUTHENTICATED',
    'say hello first: this connection has not proved which site it is',
  );
}
