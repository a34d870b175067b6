import { z } from 'zod';
import { ParleyError } from '../../shared/errors.ts';
import { Job } from './jobs.ts';
import { type BullMq, type Connecting, loadQueueLibrary } from './queue-library.ts';

/** A Redis server, and what one of its users says of it. */
export interface QueueOptions {
  /** `redis://host:port`, or `rediss://` for TLS. */
  readonly url: string;
  /** This program's version; jobs of another one are refused. */
  readonly version: string;
  /** How soon a worker that vanished is noticed; seconds. */
  readonly lockSeconds: number;
  readonly note: (text: string) => void;
}

/** What lies in the queue. */
export const QueuedData = z.strictObject({ version: z.string(), job: Job });
export type QueuedData = z.infer<typeof QueuedData>;

/** The queue's name in Redis; its keys begin with `parley:sweep:`. */
export const queueName = 'sweep';

/**
 * BullMQ, and how to reach a server that answers.
 *
 * @throws CONFIG_INVALID for a URL that is none of Redis; BACKEND_UNAVAILABLE when the packages are missing; CONNECTION_LOST.
 */
export async function connect({ url }: QueueOptions): Promise<{ bullmq: BullMq; connecting: Connecting }> {
  const { protocol, host } = URL.canParse(url) ? new URL(url) : { protocol: '', host: '' };
  if (protocol !== 'redis:' && protocol !== 'rediss:')
    throw new ParleyError('CONFIG_INVALID', '--redis: a URL such as redis://127.0.0.1:6379 is expected');
  const { bullmq, ioredis } = await loadQueueLibrary();
  const probe = new ioredis.Redis(url, { lazyConnect: true, retryStrategy: () => null });
  let reason = '';
  probe.on('error', (error) => {
    reason = `: ${error.message}`;
  });
  try {
    await probe.connect();
  } catch (cause) {
    throw new ParleyError(
      'CONNECTION_LOST',
      `no Redis answers at ${host}${reason}; start it, or check --redis`,
      {
        cause,
      },
    );
  } finally {
    probe.disconnect();
  }
  return { bullmq, connecting: { connection: { url, maxRetriesPerRequest: null }, prefix: 'parley' } };
}

/** A listener for errors of a connection, which comes back by itself: it says each once in a row. */
export function noteOnce(note: (text: string) => void): (error: Error) => void {
  let last = '';
  return ({ message }) => {
    if (message !== last) note(`Redis: ${message}; trying again`);
    last = message;
  };
}
