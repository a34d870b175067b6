import { ParleyError } from '../shared/errors.ts';
import { Notice, Reply, type Request } from '../shared/protocol/messages.ts';
import type { Connect, Wire } from '../shared/protocol/transport.ts';
import type { RunId } from '../shared/units.ts';
import { type Greeting, greet } from './greet.ts';
import type { Requester } from './transfer.ts';

/** A connection to the coordinator that survives reconnections: authenticated, requests parsed, orders in sequence. */
export interface Session extends Requester {
  close(): Promise<void>;
}

/** A notice other than the challenge, with the time of its arrival in milliseconds of the given clock. */
export type Order = Exclude<Notice, { type: 'challenge' }>;

interface SessionOptions {
  readonly greeting: Greeting;
  readonly connect: Connect;
  /** With the run that the coordinator was greeted for; it stays the same over reconnections. */
  readonly onOrder: (order: Order, run: RunId) => void;
  /** The coordinator refused this site, or is not who it should be: trying again will not help. */
  readonly onFatal: (error: unknown) => void;
  readonly note: (text: string) => void;
}

/** Open a session. It greets after every (re)connection and hands on orders as they come. */
export function openSession({ greeting, connect, onOrder, onFatal, note }: SessionOptions): Session {
  let ready = deferred();
  let authenticated = false;
  let { run } = greeting;
  const wire: Wire = connect({
    notice: (message) => {
      const notice = Notice.safeParse(message);
      if (!notice.success) note(`ignored a notice that does not fit the protocol: ${notice.error.message}`);
      else if (notice.data.type === 'challenge') void answer(notice.data);
      else if (authenticated && run !== undefined) onOrder(notice.data, run);
    },
    lost: (reason) => {
      note(`connection lost (${reason}); reconnecting`);
      if (authenticated) ready = deferred();
      authenticated = false;
    },
  });
  const answer = async (challenge: Extract<Notice, { type: 'challenge' }>): Promise<void> => {
    try {
      run = await greet(challenge, { ...greeting, run }, (message) => ask(wire, message));
      authenticated = true;
      ready.resolve();
    } catch (error) {
      const lost = error instanceof ParleyError && error.code === 'CONNECTION_LOST';
      if (!lost) onFatal(error);
    }
  };
  return {
    reconnected: () => ready.promise,
    request: async (message) => {
      await ready.promise;
      return ask(wire, message);
    },
    close: () => {
      // Whoever waits for a connection, or would go on with a transfer on the next one, hears that there will be none.
      const left = new ParleyError('INTERRUPTED', 'this site has left the federation');
      ready.reject(left);
      ready = deferred();
      ready.reject(left);
      return wire.close();
    },
  };
}

async function ask(wire: Wire, message: Request): Promise<Reply> {
  const reply = Reply.safeParse(await wire.request(message));
  if (!reply.success)
    throw new ParleyError(
      'MESSAGE_INVALID',
      `the reply to ${message.type} does not fit the protocol: ${reply.error.message}`,
    );
  return reply.data;
}

interface Deferred {
  readonly promise: Promise<void>;
  readonly resolve: () => void;
  readonly reject: (reason: ParleyError) => void;
}

function deferred(): Deferred {
  let resolve: Deferred['resolve'] = () => undefined;
  let reject: Deferred['reject'] = () => undefined;
  const promise = new Promise<void>((fulfil, refuse) => {
    resolve = fulfil;
    reject = refuse;
  });
  // Nobody may be waiting when it is rejected.
  promise.catch(() => undefined);
  return { promise, resolve, reject };
}
