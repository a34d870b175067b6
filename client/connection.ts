import { io, type Socket } from 'socket.io-client';
import { ParleyError } from '../shared/errors.ts';
import { isLoopback } from '../shared/protocol/loopback.ts';
import type { ClientPort, Connect, Wire } from '../shared/protocol/transport.ts';

export interface SocketOptions {
  /** https:// or wss://; http:// or ws:// on loopback only. */
  readonly url: string;
  /** PEM certificate of the authority that signed the coordinator's certificate, where the machine does not know it. */
  readonly ca?: string | undefined;
  /** A request without a reply for so long has lost its connection. */
  readonly replyWithinMs?: number;
}

/** From the end of a connection that the coordinator closed by name to the next attempt; all others back off with jitter. */
const reconnectMs = 1000;

/**
 * Reach the coordinator by socket.io over WebSocket, again and again with jittered back-off, until closed. Nothing is
 * buffered or repeated: what was under way when a connection ended rejects with CONNECTION_LOST.
 *
 * @throws INSECURE_URL for a URL without TLS beyond loopback; CONFIG_INVALID for what is no URL of the four kinds.
 */
export function socketConnect(options: SocketOptions): Connect {
  const address = checkedAddress(options.url);
  return (port) => {
    const socket = io(address, {
      transports: ['websocket'],
      upgrade: false,
      forceNew: true,
      reconnectionDelay: 500,
      reconnectionDelayMax: 10_000,
      randomizationFactor: 0.5,
      timeout: 10_000,
      retries: 0,
      ...(options.ca !== undefined && { ca: options.ca }),
    });
    return wireOver(socket, port, options.replyWithinMs ?? 60_000);
  };
}

function wireOver(socket: Socket, port: ClientPort, replyWithinMs: number): Wire {
  let retry: NodeJS.Timeout | undefined;
  let isClosed = false;
  let connection = 0;
  socket.on('notice', (notice: unknown) => {
    const of = connection;
    // Whoever awaits an earlier reply goes on first: one packet can bring a welcome and an order at once.
    setImmediate(() => {
      if (!isClosed && of === connection) port.notice(notice);
    });
  });
  socket.on('connect_error', (error) => {
    if (!isClosed) port.lost(`the coordinator cannot be reached: ${reasonOf(error)}`);
  });
  socket.on('disconnect', (reason) => {
    connection += 1;
    if (isClosed) return;
    // The only end after which socket.io does not try again by itself.
    if (reason === 'io server disconnect') retry = setTimeout(() => socket.connect(), reconnectMs);
    port.lost(`the connection ended: ${reason}`);
  });
  return {
    request: async (message) => {
      if (!socket.connected) throw lost('is not up');
      try {
        const reply: unknown = await socket.timeout(replyWithinMs).emitWithAck('request', message);
        return reply;
      } catch (cause) {
        // A connection that swallows requests is given up, so that the next one can resume; a closed one does not mind.
        socket.io.engine.close();
        throw lost('ended before the reply', cause);
      }
    },
    close: () => {
      isClosed = true;
      clearTimeout(retry);
      socket.disconnect();
      return Promise.resolve();
    },
  };
}

/**
 * Why no connection came about: of a WebSocket that failed, what it met (nobody listens, a certificate that is not trusted, an
 * answer of something else), which socket.io keeps in an event beneath its own error.
 */
function reasonOf(error: Error): string {
  const event: unknown = 'description' in error ? error.description : undefined;
  const cause = typeof event === 'object' && event && 'error' in event ? event.error : undefined;
  if (!(cause instanceof Error)) return error.message;
  // Of a name with several addresses, all were tried.
  const causes: readonly unknown[] = cause instanceof AggregateError ? cause.errors : [cause];
  const reasons = causes.map((one) => (one instanceof Error ? one.message : String(one)));
  return reasons.filter(Boolean).join('; ') || error.message;
}

const secure = new Set(['https:', 'wss:']);
const plain = new Set(['http:', 'ws:']);

/** Scheme, host and port alone: socket.io would read a path as something else. */
function checkedAddress(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !(secure.has(url.protocol) || plain.has(url.protocol)))
    throw new ParleyError(
      'CONFIG_INVALID',
      `the coordinator's address ${text} is no URL: expected https://host:port`,
    );
  if (plain.has(url.protocol) && !isLoopback(url.hostname))
    throw new ParleyError(
      'INSECURE_URL',
      `${text} would go without TLS beyond this machine: use https:// or wss://`,
    );
  return `${url.protocol}//${url.host}`;
}

function lost(how: string, cause?: unknown): ParleyError {
  return new ParleyError('CONNECTION_LOST', `the connection to the coordinator ${how}`, { cause });
}
