import { describe, expect, test } from 'vitest';
import { inProcessConnect } from '../../../shared/protocol/in-process.ts';
import type { Reply } from '../../../shared/protocol/messages.ts';
import { refusalOf } from '../../support/temporary.ts';
import { aCoordinator, aRequest, coordinator, open, order, welcomeBy } from './session-parties.ts';

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
