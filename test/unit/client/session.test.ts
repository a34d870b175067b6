import { describe, expect, test } from 'vitest';
import { type Order, openSession, type Session } from '../../../client/session.ts';
import { createDesk } from '../../../coordinator/desk.ts';
import { type Identity, identityFrom } from '../../../shared/crypto/identity.ts';
import { welcomeTo } from '../../../shared/protocol/handshake.ts';
import { inProcessConnect } from '../../../shared/protocol/in-process.ts';
import { type Notice, type Reply, Request } from '../../../shared/protocol/messages.ts';
import { sealed } from '../../../shared/protocol/signed.ts';
import type { Connect, CoordinatorPort, Peer } from '../../../shared/protocol/transport.ts';
import { secureRng } from '../../../shared/random/rng.ts';
import { RunId, SiteId } from '../../../shared/units.ts';
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

function open(connect: Connect, change: { run?: RunId; identity?: Identity } = {}): Heard {
  const [orders, notes]: [Order[], string[]] = [[], []];
  let failed: (error: unknown) => void = () => undefined;
  const fatal = new Promise<unknown>((resolve) => {
    failed = resolve;
  });
  const session = openSession({
    greeting: { site, identity, coordinatorKey: coordinator.publicKey, ...change },
    connect,
    onOrder: (heard) => orders.push(heard),
    onFatal: (error) => {
      failed(error);
    },
    note: (text) => notes.push(text),
  });
  return { orders, notes, fatal, session };
}

/** A coordinator by hand: `answer` is its reply to everything, `before` what it says before any hello. */
function aCoordinator(
  answer: (request: Request, peer: Peer) => Reply,
  before: readonly unknown[] = [],
  version = 1,
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

function welcomeBy(signer: Identity): (request: Request) => Reply {
  return (request) => {
    if (request.type !== 'hello') return { type: 'accepted' };
    return welcomeTo(request, { run, site, coordinator: coordinator.publicKey }, signer, nonce);
  };
}

const aRequest: Request = { type: 'decline', signed: sealed(identity, 'decline', {}) };

describe('a site and its coordinator', () => {
  const aDesk = (known: Identity): CoordinatorPort & { close(): void } =>
    createDesk({
      run,
      identity: coordinator,
      sites: new Map([[site, known.publicKey]]),
      rng: secureRng(),
      blob: () => undefined,
    });

  test('greet each other, and then talk', async () => {
    const desk = aDesk(identity);
    const { session } = open(inProcessConnect(desk));
    await session.reconnected();
    expect(await session.request(aRequest)).toMatchObject({ type: 'refused' });
    await session.close();
    desk.close();
  });

  test('a coordinator with another key than the configured one is told apart by the coordinator itself', async () => {
    const desk = createDesk({
      run,
      identity: impostor,
      sites: new Map([[site, identity.publicKey]]),
      rng: secureRng(),
      blob: () => undefined,
    });
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
    const desk = aDesk(impostor);
    const { fatal, session } = open(inProcessConnect(desk));
    expect(await fatal).toMatchObject({ code: 'UNKNOWN_KEY' });
    await session.close();
    desk.close();
  });

  test('another run than the configured one is not joined, and another protocol not spoken', async () => {
    const welcome = welcomeBy(coordinator);
    const other = open(inProcessConnect(aCoordinator(welcome)), { run: RunId.parse('run-2') });
    expect(await other.fatal).toMatchObject({ code: 'RUN_MISMATCH' });
    const newer = open(inProcessConnect(aCoordinator(welcome, [], 2)));
    expect(await newer.fatal).toMatchObject({ code: 'PROTOCOL_MISMATCH' });
    await Promise.all([other.session.close(), newer.session.close()]);
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
