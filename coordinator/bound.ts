import type { AddressInfo, Server } from 'node:net';
import { ParleyError } from '../shared/errors.ts';

/**
 * Let a server listen, and tell its port; 0 takes any free one.
 *
 * @throws PORT_IN_USE where another program has the port, or a user may not have it; CONFIG_INVALID for a host that is no address of
 * this machine.
 */
export function bound(server: Server, port: number, host: string): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause: NodeJS.ErrnoException) => {
      reject(refusal(cause, `${host}:${port}`));
    });
    server.listen(port, host, () => {
      // The address of a bound TCP server is an AddressInfo; a string stands for a pipe only.
      resolve((server.address() as AddressInfo).port);
    });
  });
}

const taken: ReadonlySet<string> = new Set(['EADDRINUSE', 'EACCES']);
const nowhere: ReadonlySet<string> = new Set(['EADDRNOTAVAIL', 'ENOTFOUND', 'EAI_AGAIN', 'EINVAL']);

function refusal(cause: NodeJS.ErrnoException, place: string): Error {
  const code = cause.code ?? '';
  const what = `${place} cannot be listened on (${code || cause.message})`;
  if (taken.has(code)) return new ParleyError('PORT_IN_USE', `${what}: choose another port`, { cause });
  if (nowhere.has(code))
    return new ParleyError(
      'CONFIG_INVALID',
      `${what}: listen.host must be an address of this machine, such as 127.0.0.1, or 0.0.0.0 for all of them`,
      { cause },
    );
  return cause;
}
