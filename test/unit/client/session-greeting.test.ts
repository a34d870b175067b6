import { describe, expect, test } from 'vitest';
import { createDesk, type Desk } from '../../../coordinator/desk.ts';
import { openLedgerHeads } from '../../../coordinator/ledger-heads.ts';
import type { Identity } from '../../../shared/crypto/identity.ts';
import { inProcessConnect } from '../../../shared/protocol/in-process.ts';
import type { LedgerPosition } from '../../../shared/protocol/ledger-position.ts';
import type { Reply } from '../../../shared/protocol/messages.ts';
import { protocolVersion } from '../../../shared/protocol/plan.ts';
import { secureRng } from '../../../shared/random/rng.ts';
import { RunId } from '../../../shared/units.ts';
import { headsInMemory, position } from '../../support/ledger-positions.ts';
import { refusalOf } from '../../support/temporary.ts';
import {
  aCoordinator,
  aLedger,
  anIdentity,
  aRequest,
  coordinator,
  identity,
  open,
  order,
  run,
  site,
  welcomeBy,
} from './session-parties.ts';

const impostor = anIdentity(3);

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
