import { describe, expect, test } from 'vitest';
import type { Greeting } from '../../../client/greet.ts';
import { type Order, openSession, type Session } from '../../../client/session.ts';
import { createDesk, type Desk } from '../../../coordinator/desk.ts';
import { openLedgerHeads } from '../../../coordinator/ledger-heads.ts';
import { type Identity, identityFrom } from '../../../shared/crypto/identity.ts';
import { type Hello, welcomeTo } from '../../../shared/protocol/handshake.ts';
import { inProcessConnect } from '../../../shared/protocol/in-process.ts';
import type { LedgerPosition } from '../../../shared/protocol/ledger-position.ts';
import { type Notice, type Reply, Request } from '../../../shared/protocol/messages.ts';
import { protocolVersion } from '../../../shared/protocol/plan.ts';
import { sealed } from '../../../shared/protocol/signed.ts';
import type { Connect, CoordinatorPort, Peer } from '../../../shared/protocol/transport.ts';
import { secureRng } from '../../../shared/random/rng.ts';
import { RunId, SiteId } from '../../../shared/units.ts';
import { headsInMemory, position } from '../../support/ledger-positions.ts';
import { refusalOf } from '../../support/temporary.ts';

const run = RunId.parse('run-1');
const site = SiteId.parse('alpha');
const [coordinator, identity, impostor] = [anIdentity(1), anIdentity(2), anIdentity(3)];
const nonce = 'ab'.repeat(32);
const order: Notice = { type: 'plan', signed: sealed(coordinator, 'plan', {}) };

interface Heard {
  readonly orders: Order[];
  readonly notes: string[];
  readonly fatal: Promise<unknown>;
  readonly session: Session;
}

/** A ledger of so many entries, which has been at every position below. */
function aLedger(length: number, history = 'a'): Greeting['ledger'] {
  return {
    position: () => position(length, history),
    holds: (other) => other.length <= length && other.head === position(other.length, history).head,
  };
}

function open(connect: Connect, change: Partial<Greeting> = {}): Heard {
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
function aCoordinator(
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

function welcomeBy(
  signer: Identity,
  seen: (hello: Hello) => LedgerPosition | null = () => null,
): (request: Request) => Reply {
  return (request) => {
    if (request.type !== 'hello') return { type: 'accepted' };
    const parties = { run, site, coordinator: coordinator.publicKey };
    return welcomeTo(request, parties, signer, { challengeNonce: nonce, ledger: seen(request) });
  };
}

const aRequest: Request = { type: 'decline', signed: sealed(identity, 'decline', {}) };

describe('a site and its coordinator', () => {
  const aDesk = async (known: Identity, signer = coordinator): Promise<Desk> =>
    createDesk({
      run,
      identity: signer,
      sites: new Map([[site, known.publicKey]]),
      ledgers: await openLedgerHeads(headsInMemory()),
      rng: secureRng(),
      blob: () => undefined,
    });

  test('greet each other, and then talk', async () => {
    const desk = await aDesk(identity);
    const { session } = open(inProcessConnect(desk));
    await session.reconnected();
    expect(await session.request(aRequest)).toMatchObject({ type: 'refused' });
    await session.close();
    desk.close();
  });

  test('a coordinator with another key than the configured one is told apart by the coordinator itself', async () => {
    const desk = await aDesk(identity, impostor);
    const { fatal, session } = open(inProcessConnect(desk));
    expect(await fatal).toMatchObject({ code: 'BAD_SIGNATURE' });
    await session.close();
    desk.close();
  });

  test('and by the site, when it pretends', async () => {
    const { fatal, session } = open(inProcessConnect(aCoordinator(welcomeBy(impostor))));
    expect(await fatal).toMatchObject({
      code: 'BAD_SIGNATURE',
      message: expect.stringContaining(coordinator.publicKey.slice(0, 16)) as unknown,
    });
    await session.close();
  });

  test.each<[string, string, Reply]>([
    ['a refusal', 'UNKNOWN_KEY', { type: 'refused', code: 'UNKNOWN_KEY', detail: 'who?' }],
    ['anything but a welcome', 'BAD_SIGNATURE', { type: 'accepted' }],
  ])('%s ends the attempt for good', async (_what, code, reply) => {
    const { fatal, session } = open(inProcessConnect(aCoordinator(() => reply)));
    expect(await fatal).toMatchObject({ code });
    await session.close();
  });

  test('a site unknown to the desk, or with another key, is refused', async () => {
    const desk = await aDesk(impostor);
    const { fatal, session } = open(inProcessConnect(desk));
    expect(await fatal).toMatchObject({ code: 'UNKNOWN_KEY' });
    await session.close();
    desk.close();
  });

  test('another run than the configured one is not joined, and another protocol not spoken', async () => {
    const welcome = welcomeBy(coordinator);
    const other = open(inProcessConnect(aCoordinator(welcome)), { run: RunId.parse('run-2') });
    expect(await other.fatal).toMatchObject({ code: 'RUN_MISMATCH' });
    const newer = open(inProcessConnect(aCoordinator(welcome, [], protocolVersion + 1)));
    expect(await newer.fatal).toMatchObject({ code: 'PROTOCOL_MISMATCH' });
    await Promise.all([other.session.close(), newer.session.close()]);
  });
});

describe('the ledger that the coordinator has seen', () => {
  test.each<[string, LedgerPosition]>([
    ['has more entries', position(4)],
    ['has as many with another head', position(3, 'b')],
    ['has fewer with another head', position(2, 'b')],
  ])('%s than this one: the site stops before it hears an order', async (_what, seen) => {
    const welcome = welcomeBy(coordinator, () => seen);
    const port = aCoordinator((request, peer) => {
      peer.notify(order);
      return welcome(request);
    });
    const { fatal, session, orders } = open(inProcessConnect(port));
    expect(await fatal).toMatchObject({
      code: 'LEDGER_ROLLBACK',
      message: expect.stringContaining(seen.head) as unknown,
    });
    expect(orders).toEqual([]);
    await session.close();
  });

  test.each([0, 1, 2, 3])('was this one when it had %i entries: they talk', async (length) => {
    const port = aCoordinator(welcomeBy(coordinator, () => position(length)));
    const { session } = open(inProcessConnect(port));
    expect(await session.request(aRequest)).toEqual({ type: 'accepted' });
    await session.close();
  });

  test('is told under the signature: one that was put in on the way is BAD_SIGNATURE', async () => {
    const honest = welcomeBy(coordinator, () => position(4));
    const port = aCoordinator((request) => ({ ...honest(request), ledger: position(2) }) as Reply);
    const { fatal, session } = open(inProcessConnect(port));
    expect(await fatal).toMatchObject({ code: 'BAD_SIGNATURE' });
    await session.close();
  });

  test('is compared at every connection, with the ledger as it is then', async () => {
    const hellos: LedgerPosition[] = [];
    const port = aCoordinator((request, peer) => {
      if (request.type === 'hello') hellos.push(request.ledger);
      else if (hellos.length < 3) peer.disconnect();
      return welcomeBy(coordinator, ({ ledger }) => ledger)(request);
    });
    let length = 0;
    const growing = { ...aLedger(9), position: () => position(length++) };
    const { session } = open(inProcessConnect(port), { ledger: growing });
    for (let i = 0; i < 2; i++) await refusalOf(session.request(aRequest));
    expect(await session.request(aRequest)).toEqual({ type: 'accepted' });
    expect(hellos).toEqual([position(0), position(1), position(2)]);
    await session.close();
  });
});

describe('the notices of a session', () => {
  test('are not listened to before the coordinator has proved who it is', async () => {
    const port = aCoordinator(
      (request, peer) => {
        if (request.type !== 'hello') peer.notify(order);
        return welcomeBy(coordinator)(request);
      },
      [order, order],
    );
    const { session, orders } = open(inProcessConnect(port));
    await session.reconnected();
    expect(orders).toEqual([]);
    await session.request(aRequest);
    expect(orders).toEqual([order]);
    await session.close();
  });

  test('are ignored with a note where they do not fit the protocol', async () => {
    const port = aCoordinator(welcomeBy(coordinator), [{ type: 'gossip' }, 17, null]);
    const { session, orders, notes } = open(inProcessConnect(port));
    await session.reconnected();
    expect(orders).toEqual([]);
    expect(notes).toHaveLength(3);
    expect(notes[0]).toContain('does not fit the protocol');
    await session.close();
  });
});

describe('the requests of a session', () => {
  test('wait for the next connection when one was lost, and greet it anew', async () => {
    let hellos = 0;
    const port = aCoordinator((request, peer) => {
      if (request.type === 'hello') hellos += 1;
      else if (hellos === 1) peer.disconnect();
      return welcomeBy(coordinator)(request);
    });
    const { session, notes } = open(inProcessConnect(port));
    expect(await refusalOf(session.request(aRequest))).toMatchObject({ code: 'CONNECTION_LOST' });
    expect(await session.request(aRequest)).toEqual({ type: 'accepted' });
    expect([hellos, notes]).toEqual([
      2,
      ['connection lost (the coordinator ended the connection); reconnecting'],
    ]);
    await session.close();
  });

  test('reject when the site leaves before a connection is up', async () => {
    const { session } = open(() => ({
      request: () => Promise.reject(new Error('nothing is connected')),
      close: () => Promise.resolve(),
    }));
    const waiting = session.request(aRequest);
    await session.close();
    expect(await refusalOf(waiting)).toMatchObject({ code: 'INTERRUPTED' });
    expect(await refusalOf(session.reconnected())).toMatchObject({ code: 'INTERRUPTED' });
  });

  test('reject when the reply is no reply', async () => {
    const port = aCoordinator((request) =>
      request.type === 'hello' ? welcomeBy(coordinator)(request) : ({ type: 'perhaps' } as unknown as Reply),
    );
    const { session } = open(inProcessConnect(port));
    expect(await refusalOf(session.request(aRequest))).toMatchObject({
      code: 'MESSAGE_INVALID',
      message: expect.stringContaining('the reply to decline') as unknown,
    });
    await session.close();
  });
});

function anIdentity(byte: number): Identity {
  return identityFrom(new Uint8Array(32).fill(byte));
}
