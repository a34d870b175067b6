import { ParleyError } from '../errors.ts';
import type { Reply } from './messages.ts';
import type { ClientPort, Connect, CoordinatorPort, Session, Wire } from './transport.ts';

/** Pause before a lost connection is tried again: enough that two clients of one site cannot spin. */
const reconnectMs = 50;

/**
 * A link inside one process that behaves as a socket does: messages are copied, arrive later and in order, requests that
 * are under way when the connection ends reject with CONNECTION_LOST, and a lost connection comes up again until closed.
 */
export function inProcessConnect(coordinator: CoordinatorPort): Connect {
  return (client) => {
    let closed = false;
    let connection: Connection | undefined;
    let retry: NodeJS.Timeout | undefined;
    const open = (): void => {
      connection = connectionTo(coordinator, client, () => {
        connection = undefined;
        if (closed) return;
        retry = setTimeout(open, reconnectMs);
      });
    };
    setImmediate(() => {
      if (!closed) open();
    });
    return {
      request: (message) => connection?.request(message) ?? Promise.reject(lost()),
      close: () => {
        closed = true;
        clearTimeout(retry);
        connection?.end();
        return Promise.resolve();
      },
    };
  };
}

interface Connection extends Pick<Wire, 'request'> {
  /** End this connection; without a reason it was this side's wish. */
  end(reason?: string): void;
}

function connectionTo(coordinator: CoordinatorPort, client: ClientPort, ended: () => void): Connection {
  const waiting = new Set<(reason: ParleyError) => void>();
  let up = true;
  // One queue for notices, requests and replies keeps their order, as a socket does.
  const deliver = (action: () => void): void => {
    setImmediate(() => {
      if (up) action();
    });
  };
  const end = (reason?: string): void => {
    if (!up) return;
    up = false;
    if (reason !== undefined) client.lost(reason);
    for (const reject of waiting) reject(lost());
    waiting.clear();
    session.closed();
    ended();
  };
  const session: Session = coordinator.connect({
    notify: (notice) => {
      const copy = structuredClone(notice);
      deliver(() => {
        client.notice(copy);
      });
    },
    disconnect: () => {
      deliver(() => {
        end('the coordinator ended the connection');
      });
    },
  });
  const request: Wire['request'] = (message) =>
    new Promise<Reply>((resolve, reject) => {
      const copy = structuredClone(message);
      waiting.add(reject);
      const reply = (value: Reply): void => {
        deliver(() => {
          waiting.delete(reject);
          resolve(structuredClone(value));
        });
      };
      deliver(() => void session.request(copy).then(reply, reject));
    });
  return { request, end };
}

function lost(): ParleyError {
  return new ParleyError('CONNECTION_LOST', 'the connection to the coordinator is not up');
}
