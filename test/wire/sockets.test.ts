import { io } from 'socket.io-client';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { socketConnect } from '../../client/connection.ts';
import { upload } from '../../client/transfer.ts';
import { listen } from '../../coordinator/server.ts';
import { ParleyError } from '../../shared/errors.ts';
import { chunkBytes, type Notice } from '../../shared/protocol/messages.ts';
import { protocolVersion } from '../../shared/protocol/plan.ts';
import type { CoordinatorPort, Peer } from '../../shared/protocol/transport.ts';
import { canSign, selfSigned } from '../support/self-signed.ts';
import { withCode } from '../support/with-code.ts';
import { about, type Fixture, openFixture, uploadBy } from './fixture.ts';
import { alpha, joinSite } from './site.ts';

const local = { port: 0, host: '127.0.0.1' };
const challenge: Notice = { type: 'challenge', protocolVersion, run: about.run, nonce: '0'.repeat(64) };

/** A coordinator that never replies; `peers` are its connections. */
function deafCore(): { core: CoordinatorPort; peers: Peer[] } {
  const peers: Peer[] = [];
  const connect: CoordinatorPort['connect'] = (peer) => {
    peers.push(peer);
    peer.notify(challenge);
    return { request: () => new Promise(() => undefined), closed: () => undefined };
  };
  return { core: { connect }, peers };
}

describe('a raw client', () => {
  let fixture: Fixture;
  let url = '';
  beforeEach(async () => {
    fixture = await openFixture(async (core) => {
      const server = await listen({ ...local, core });
      url = `http://127.0.0.1:${server.port}`;
      return { connect: socketConnect({ url }), cut: () => undefined, close: () => server.close() };
    });
  });
  afterEach(() => fixture.close());

  const rawSocket = async (options = {}) => {
    const socket = io(url, { transports: ['websocket'], reconnection: false, forceNew: true, ...options });
    const outcome = await new Promise<string>((resolve) => {
      socket.on('connect', () => {
        resolve('connected');
      });
      socket.on('connect_error', () => {
        resolve('refused');
      });
    });
    const dropped = new Promise<string>((resolve) => socket.on('disconnect', resolve));
    return { socket, outcome, dropped };
  };
  const honestUpload = async (): Promise<void> => {
    const collection = fixture.ask();
    const site = fixture.join(alpha);
    await site.reconnected();
    await upload(site, uploadBy(alpha));
    expect(collection.answers.size).toBe(1);
  };

  test.each([
    ['an unknown event', 'shutdown', [{}]],
    ['an event called error', 'error', [{}]],
    ['an event called __proto__', '__proto__', [{}]],
    ['two messages in one request', 'request', [{}, {}]],
    ['a request without a message', 'request', []],
  ])('%s is refused and counted', async (_name, event, args) => {
    const { socket } = await rawSocket();
    const reply: unknown = await socket.emitWithAck(event, ...args);
    expect(reply).toMatchObject({ type: 'refused', code: 'NOT_AUTHENTICATED' });
    expect(fixture.desk.refused()).toEqual({ NOT_AUTHENTICATED: 1 });
    socket.disconnect();
    await honestUpload();
  });

  test('what asks for no reply is counted too, and twenty such messages end the connection', async () => {
    const { socket, dropped } = await rawSocket();
    for (let i = 0; i < 20; i++) socket.emit('error', i);
    await dropped;
    expect(fixture.desk.refused()).toEqual({ NOT_AUTHENTICATED: 20 });
    await honestUpload();
  });

  test('more attachments than any message has end the connection', async () => {
    const { socket, dropped } = await rawSocket();
    socket.emit(
      'request',
      Array.from({ length: 11 }, () => new Uint8Array(1)),
    );
    await dropped;
    await honestUpload();
  });

  test('a message larger than a chunk and its header ends the connection', async () => {
    const { socket, dropped } = await rawSocket();
    socket.emit('request', { bytes: new Uint8Array(chunkBytes + 20_000) });
    await dropped;
    await honestUpload();
  });

  test.each([
    '51-["request",{"_placeholder":true,"num":7}]',
    '2{"not":"a packet"',
    '999',
    '2["connect"]',
    '\u0000',
  ])('the frame %j ends at most its own connection', async (frame) => {
    const { socket } = await rawSocket();
    socket.io.engine.write(frame);
    socket.emit('request');
    await honestUpload();
    socket.disconnect();
  });

  test('a browser and long polling are refused at the door', async () => {
    expect((await rawSocket({ extraHeaders: { origin: 'https://example.org' } })).outcome).toBe('refused');
    expect((await rawSocket({ transports: ['polling'] })).outcome).toBe('refused');
    const response = await fetch(`${url}/socket.io/socket.io.js`);
    expect(response.status).not.toBe(200);
    await response.body?.cancel();
  });
});

describe('the door', () => {
  test('a port that is taken is PORT_IN_USE', async () => {
    const { core } = deafCore();
    const server = await listen({ ...local, core });
    await expect(listen({ ...local, port: server.port, core })).rejects.toThrow(withCode('PORT_IN_USE'));
    await server.close();
  });

  test.each(['0.0.0.0', '::', '192.0.2.1'])('listening on %s without TLS is INSECURE_URL', async (host) => {
    await expect(listen({ port: 0, host, core: deafCore().core })).rejects.toThrow(withCode('INSECURE_URL'));
  });

  test.each(['http://10.0.0.1:1', 'ws://example.org', 'http://0.0.0.0:80', 'http://localhost.example.org'])(
    'connecting to %s is INSECURE_URL',
    (url) => {
      expect(() => socketConnect({ url })).toThrow(withCode('INSECURE_URL'));
    },
  );

  test.each(['', 'example.org', 'ftp://example.org', 'localhost:8080'])('"%s" is no address', (url) => {
    expect(() => socketConnect({ url })).toThrow(withCode('CONFIG_INVALID'));
  });

  test.each([
    'https://example.org',
    'wss://10.0.0.1:7',
    'http://localhost:1',
    'ws://[::1]:1',
    'http://127.0.0.1',
  ])('%s is an address', (url) => {
    expect(() => socketConnect({ url })).not.toThrow();
  });
});

describe('a connection', () => {
  test('that swallows a request is given up and made anew', async () => {
    const { core, peers } = deafCore();
    const server = await listen({ ...local, core });
    const connect = socketConnect({ url: `http://127.0.0.1:${server.port}`, replyWithinMs: 20 });
    const site = joinSite(connect, { ...alpha, silent: true });
    await site.notice('challenge');
    const lost = site.lost();
    await expect(site.raw({})).rejects.toThrow(withCode('CONNECTION_LOST'));
    await lost;
    await site.notice('challenge');
    expect(peers).toHaveLength(2);
    await site.close();
    await server.close();
  });

  test('that no coordinator takes is told as lost', async () => {
    const server = await listen({ ...local, core: deafCore().core });
    await server.close();
    const site = joinSite(socketConnect({ url: `http://127.0.0.1:${server.port}` }), alpha);
    expect(await site.lost()).toContain('cannot be reached');
    await expect(site.raw({})).rejects.toThrow(ParleyError);
    await site.close();
  });
});

describe.runIf(canSign)('with TLS', () => {
  test('a site that knows the certificate connects, one that does not cannot', async () => {
    const tls = selfSigned();
    const fixture = await openFixture(async (core) => {
      const server = await listen({ ...local, tls, core });
      const connect = socketConnect({ url: `https://127.0.0.1:${server.port}`, ca: tls.cert });
      const stranger = joinSite(socketConnect({ url: `wss://127.0.0.1:${server.port}` }), alpha);
      expect(await stranger.lost()).toContain('cannot be reached');
      await stranger.close();
      return { connect, cut: () => undefined, close: () => server.close() };
    });
    await fixture.join(alpha).reconnected();
    expect(fixture.desk.connected()).toEqual(['alpha']);
    await fixture.close();
  });
});
