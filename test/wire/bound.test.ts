import { createServer } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { bound } from '../../coordinator/bound.ts';
import { withCode } from '../support/with-code.ts';

test('a free port is told, and nobody else gets it', async () => {
  const server = createServer();
  onTestFinished(() => void server.close());
  const port = await bound(server, 0, '127.0.0.1');
  expect(port).toBeGreaterThan(0);
  await expect(bound(createServer(), port, '127.0.0.1')).rejects.toEqual(withCode('PORT_IN_USE'));
});

// One of no machine (RFC 5737), and a name of none (RFC 2606).
test.each(['192.0.2.1', 'no-such-host.invalid'])(
  '%s, no address of this machine, is refused by name',
  async (host) => {
    const refused = bound(createServer(), 0, host);
    await expect(refused).rejects.toEqual(withCode('CONFIG_INVALID'));
    await expect(refused).rejects.toThrow(`${host}:0 cannot be listened on`);
  },
);
