import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { socketConnect } from '../../client/connection.ts';
import { listen } from '../../coordinator/server.ts';
import { canSign, selfSigned } from '../support/self-signed.ts';
import { alpha, joinSite } from './site.ts';

/** The note of a site that tries to reach this address. */
async function noteAt(url: string, ca?: string): Promise<string> {
  const site = joinSite(socketConnect({ url, ca }), alpha);
  const note = await site.lost();
  await site.close();
  return note;
}

async function listening(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

const silent = { request: () => new Promise<never>(() => undefined), closed: () => undefined };

describe('a site that cannot reach its coordinator says why', () => {
  test('nobody listens', async () => {
    const server = createServer();
    const port = await listening(server);
    server.close();
    expect(await noteAt(`http://127.0.0.1:${port}`)).toContain(
      `cannot be reached: connect ECONNREFUSED 127.0.0.1:${port}`,
    );
  });

  test('something else answers there', async () => {
    const port = await listening(createServer((_request, response) => response.writeHead(404).end()));
    expect(await noteAt(`http://127.0.0.1:${port}`)).toContain('404');
  });

  test.runIf(canSign)('its certificate is of an authority that the site does not know', async () => {
    const server = await listen({
      ...{ port: 0, host: '127.0.0.1', tls: selfSigned() },
      core: { connect: () => silent },
    });
    const url = `https://127.0.0.1:${server.port}`;
    for (const ca of [undefined, selfSigned().cert])
      expect(await noteAt(url, ca)).toMatch(/self-signed certificate|unable to verify/);
    await server.close();
  });

  test.runIf(canSign)('its certificate is for another name', async () => {
    const tls = selfSigned();
    const server = await listen({ port: 0, host: '127.0.0.2', tls, core: { connect: () => silent } });
    expect(await noteAt(`https://127.0.0.2:${server.port}`, tls.cert)).toContain(
      'altnames: IP: 127.0.0.2 is not in',
    );
    await server.close();
  });
});
