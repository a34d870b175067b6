import { createServer } from 'node:http';
import { Server, type Socket } from 'socket.io';
import { ParleyError } from '../shared/errors.ts';
import { isLoopback } from '../shared/protocol/loopback.ts';
import { chunkBytes } from '../shared/protocol/messages.ts';
import type { CoordinatorPort } from '../shared/protocol/transport.ts';
import { bound } from './bound.ts';
import { createTlsServer } from './tls-server.ts';

export interface ListenOptions {
  /** 0 takes any free port. */
  readonly port: number;
  readonly host: string;
  /** Certificate chain and private key, PEM. Only a loopback host may do without. */
  readonly tls?: { readonly cert: string; readonly key: string } | undefined;
  readonly core: CoordinatorPort;
}

/** Room for a message's header beside one chunk of bytes. */
const headerBytes = 16 * 1024;

/**
 * Put the desk behind socket.io over WebSocket: no compression, no upgrades, no recovery, no browsers, messages no larger
 * than one chunk and its header.
 *
 * @throws INSECURE_URL for a host beyond loopback without TLS; CONFIG_INVALID as {@link createTlsServer}; what `bound` throws.
 */
export async function listen(options: ListenOptions): Promise<{ port: number; close(): Promise<void> }> {
  const { port, host, tls, core } = options;
  if (!tls && !isLoopback(host))
    throw new ParleyError(
      'INSECURE_URL',
      `listening on ${host} needs TLS: give a certificate and key, or listen on 127.0.0.1 behind a TLS proxy`,
    );
  const server = tls ? createTlsServer(tls) : createServer();
  const io = new Server(server, {
    transports: ['websocket'],
    allowUpgrades: false,
    serveClient: false,
    httpCompression: false,
    perMessageDeflate: false,
    maxHttpBufferSize: chunkBytes + headerBytes,
    pingInterval: 10_000,
    pingTimeout: 20_000,
    connectTimeout: 5000,
    cleanupEmptyChildNamespaces: true,
    // Browsers name their page in Origin; sites are no browsers.
    allowRequest: (request, decide) => {
      decide(null, request.headers.origin === undefined);
    },
  });
  io.on('connection', (socket) => {
    serve(socket, core);
  });
  return { port: await bound(server, port, host), close: () => io.close() };
}

function serve(socket: Socket, core: CoordinatorPort): void {
  const session = core.connect({
    notify: (notice) => socket.emit('notice', notice),
    disconnect: () => {
      // Ended below socket.io, as a network does: the site's client comes back by itself, with jittered back-off.
      socket.conn.close();
    },
  });
  socket.onAny((event: string, ...args: unknown[]) => {
    const { message, acknowledge } = asRequest(event, args);
    void session.request(message).then(acknowledge);
  });
  // Peers can send an event of this name, and without a listener it would be thrown.
  socket.on('error', () => undefined);
  socket.on('disconnect', () => {
    session.closed();
  });
}

type Acknowledge = (reply: unknown) => void;

/** The session refuses an undefined message; so nothing that a peer sends goes uncounted. */
function asRequest(event: string, args: readonly unknown[]): { message: unknown; acknowledge: Acknowledge } {
  const last = args.at(-1);
  const acknowledge = isFunction(last) ? last : (): void => undefined;
  const isRequest = event === 'request' && args.length === 2 && isFunction(last);
  return { message: isRequest ? args[0] : undefined, acknowledge };
}

function isFunction(value: unknown): value is Acknowledge {
  return typeof value === 'function';
}
