import type { Notice, Reply, Request } from './messages.ts';

/**
 * The port between the protocol and whatever carries it. Sockets and the in-process link fill the same port and pass one
 * conformance suite. Nothing here trusts delivery: a request may be lost or repeated, a connection may end at any time.
 */

/** The coordinator's side of one connection. */
export interface CoordinatorPort {
  /** A connection came up. The session's first notice is a challenge. */
  connect(peer: Peer): Session;
}

export interface Session {
  /** Handle one message, whatever it is: never rejects, a bad message gets a `refused` reply. */
  request(message: unknown): Promise<Reply>;
  /** The connection ended. */
  closed(): void;
}

/** What the coordinator can do to a connected client. */
export interface Peer {
  notify(notice: Notice): void;
  disconnect(): void;
}

/** The client's side: a connector keeps one connection up, with jittered back-off, until it is closed. */
export interface ClientPort {
  /** Notices come in order, after the replies that the coordinator sent before them, and never from a lost connection. */
  readonly notice: (notice: unknown) => void;
  /**
   * The connection ended, or an attempt at one failed; told before the requests under way reject, and not after `close`.
   * May be told several times in a row.
   */
  readonly lost: (reason: string) => void;
}

export interface Wire {
  /** Resolves with the reply as it came (the caller parses it); rejects with CONNECTION_LOST when none can come. */
  request(message: Request): Promise<unknown>;
  close(): Promise<void>;
}

export type Connect = (port: ClientPort) => Wire;
