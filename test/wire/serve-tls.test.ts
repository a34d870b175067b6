import { EventEmitter, once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { type RequestOptions, request } from 'node:https';
import { connect } from 'node:net';
import { join } from 'node:path';
import { json, text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { describe, expect, test } from 'vitest';
import { predictionPaths } from '../../shared/protocol/predictions.ts';
import { canSign, selfSigned } from '../support/self-signed.ts';
import { callerKey, noon, patients, type Reply, served, servedFiles } from '../support/served.ts';
import { refusalOf, temporaryFolder } from '../support/temporary.ts';

const host = '127.0.0.1';
const body = JSON.stringify({ records: [patients[0]!.records[0]] });
const headers = { authorization: `Bearer ${callerKey.key}`, connection: 'close' };

interface TlsServer {
  readonly port: number;
  readonly cert: string;
  readonly notes: readonly string[];
  readonly close: () => Promise<void>;
}

/** A server whose configuration names a certificate, one that was made for it if none is given. */
async function servedByTls({ cert, key } = selfSigned(), now?: () => number): Promise<TlsServer> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, 'cert.pem'), cert);
  writeFileSync(join(folder, 'key.pem'), key);
  const listen = { port: 0, tls: { cert: 'cert.pem', key: 'key.pem' } };
  const { url, notes, close } = await served(servedFiles(folder, { answer: [], listen }), now);
  return { port: Number(new URL(url).port), cert, notes, close };
}

/** Ask over https, for one prediction if nothing else is said; rejects where no connection comes about. */
function ask(port: number, options: RequestOptions, asked = body): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const about = { host, port, path: predictionPaths.predictions, method: 'POST', headers, agent: false };
    const asking = request({ ...about, ...options }, (response) => {
      const status = response.statusCode ?? 0;
      json(response).then((answered) => {
        resolve({ status, body: answered as Reply['body'] });
      }, reject);
    });
    asking.on('error', reject).end(asked);
  });
}

/** The server goes on, and has answered nothing but this one record. */
async function expectFirstAnswer({ port, cert, notes }: TlsServer): Promise<void> {
  const { status, body: answered } = await ask(port, { ca: cert });
  expect(status).toBe(200);
  expect(answered.budget).toEqual({ total: 99_999, today: 9999 });
  expect(notes).toEqual([]);
}

describe.runIf(canSign)('a server with a certificate', () => {
  test('gives a client that trusts it what a server without one gives', async () => {
    const { port, cert } = await servedByTls();
    const plain = await served(servedFiles(temporaryFolder(), { answer: [] }));
    const answered = await ask(port, { ca: cert });
    expect(answered).toEqual(await plain.ask([patients[0]!.records[0]]));
    expect(answered.status).toBe(200);
    expect(answered.body.answers![0]!.probabilities).toHaveLength(5);
  });

  test('speaks TLS 1.3, and a client that trusts it still needs a key', async () => {
    const { port, cert } = await servedByTls();
    const socket = connectTls({ host, port, ca: cert });
    await once(socket, 'secureConnect');
    expect([socket.authorized, socket.getProtocol()]).toEqual([true, 'TLSv1.3']);
    socket.destroy();
    const keyless = { ca: cert, headers: { connection: 'close' } };
    expect(await ask(port, keyless)).toMatchObject({
      status: 401,
      body: { error: { code: 'NOT_AUTHENTICATED' } },
    });
  });

  test.each<[string, (server: TlsServer) => RequestOptions, string]>([
    ['knows no such certificate', () => ({}), 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    ['trusts another one', () => ({ ca: selfSigned().cert }), 'DEPTH_ZERO_SELF_SIGNED_CERT'],
    [
      'wanted another host',
      ({ cert }) => ({ ca: cert, servername: 'model.example.org' }),
      'ERR_TLS_CERT_ALTNAME_INVALID',
    ],
  ])('is not talked to by a client that %s', async (_, options, code) => {
    const server = await servedByTls();
    expect(await refusalOf(ask(server.port, options(server)))).toMatchObject({ code });
    await expectFirstAnswer(server);
  });

  test('refuses TLS 1.2, even of a client that trusts it', async () => {
    const server = await servedByTls();
    const old = { ca: server.cert, maxVersion: 'TLSv1.2' } as const;
    await expect(ask(server.port, old)).rejects.toThrow('alert protocol version');
    await expectFirstAnswer(server);
  });

  test('answers nothing to plain http, whoever has the key', async () => {
    const server = await servedByTls();
    const socket = connect({ host, port: server.port });
    const heard = text(socket);
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const length = `content-length: ${Buffer.byteLength(body)}\r\n`;
    socket.write(
      `POST ${predictionPaths.predictions} HTTP/1.1\r\nhost: ${host}\r\n${lines.join('')}${length}\r\n${body}`,
    );
    // Ends when the server hangs up. What it says before, if anything, is an alert of a few bytes.
    expect(Buffer.byteLength(await heard)).toBeLessThan(16);
    const url = `http://${host}:${server.port}${predictionPaths.predictions}`;
    await expect(fetch(url, { method: 'POST', headers, body })).rejects.toThrow('fetch failed');
    await expectFirstAnswer(server);
  });

  test('ends although others never end their handshakes and requests', async () => {
    const server = await servedByTls();
    const silent = connect({ host, port: server.port });
    const slow = connectTls({ host, port: server.port, ca: server.cert });
    const hungUp = [silent, slow].map(
      (socket) =>
        new Promise((resolve) =>
          socket
            .on('error', () => undefined)
            .on('close', resolve)
            .resume(),
        ),
    );
    await once(slow, 'secureConnect');
    slow.write(`POST ${predictionPaths.predictions} HTTP/1.1\r\nhost: ${host}\r\ncontent-length: 9\r\n\r\n{`);
    await expectFirstAnswer(server);
    await server.close();
    await Promise.all(hungUp);
  });

  test('ends after the answer to a request that it has begun to look at', async () => {
    const clock = new EventEmitter();
    const { port, cert, close } = await servedByTls(undefined, () => {
      clock.emit('read');
      return noon;
    });
    const records = patients.slice(0, 500).map((patient) => patient.records[0]);
    const looking = once(clock, 'read');
    const answered = ask(port, { ca: cert }, JSON.stringify({ records }));
    await looking;
    await close();
    expect((await answered).body.answers).toHaveLength(500);
  });

  test.each([
    ['no certificate', () => ({ ...selfSigned(), cert: 'none' })],
    ['the key of another one', () => ({ ...selfSigned(), key: selfSigned().key })],
  ])('does not start with %s', async (_, files) => {
    expect(await refusalOf(servedByTls(files()))).toMatchObject({ code: 'CONFIG_INVALID' });
  });
});
