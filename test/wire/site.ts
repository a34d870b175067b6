import { randomBytes } from 'node:crypto';
import type { Requester } from '../../client/transfer.ts';
import { type Identity, identityFrom, type PublicKey } from '../../shared/crypto/identity.ts';
import { ParleyError } from '../../shared/errors.ts';
import { type Challenge, helloTo, isWelcomeGenuine } from '../../shared/protocol/handshake.ts';
import type { LedgerPosition } from '../../shared/protocol/ledger-position.ts';
import { Notice, Reply, type Request } from '../../shared/protocol/messages.ts';
import type { Connect } from '../../shared/protocol/transport.ts';
import { RunId, SiteId } from '../../shared/units.ts';
import { position } from '../support/ledger-positions.ts';

export const run = RunId.parse('run-1');
export const coordinator = identityFrom(new Uint8Array(32).fill(1));
export const alpha = { site: SiteId.parse('alpha'), identity: identityFrom(new Uint8Array(32).fill(2)) };
export const beta = { site: SiteId.parse('beta'), identity: identityFrom(new Uint8Array(32).fill(3)) };
export const sites: ReadonlyMap<SiteId, PublicKey> = new Map(
  [alpha, beta].map(({ site, identity }) => [site, identity.publicKey]),
);

export interface SiteOptions {
  readonly site: SiteId;
  readonly identity: Identity;
  /** Leave the challenge unanswered. */
  readonly silent?: boolean;
  /** Five entries when left out. */
  readonly ledger?: LedgerPosition;
}

/** The least that a site is: it answers challenges, and lets tests see and send everything. */
export interface TestSite extends Requester {
  /** Send anything at all. */
  raw(message: unknown): Promise<Reply>;
  /** The next notice of this type that was not taken yet. */
  notice<T extends Notice['type']>(type: T): Promise<Extract<Notice, { type: T }>>;
  /** Notices not taken yet. */
  untaken(): Notice[];
  /** Resolves at the next lost connection. */
  lost(): Promise<string>;
  readonly sent: Request[];
  close(): Promise<void>;
}

export function joinSite(connect: Connect, options: SiteOptions): TestSite {
  const { site, identity, silent = false, ledger = position(5) } = options;
  const parties = { run, site, coordinator: coordinator.publicKey };
  const inbox: Notice[] = [];
  const sent: Request[] = [];
  let isUp = false;
  const happened = createBell();
  const losses: string[] = [];
  const raw = async (message: unknown): Promise<Reply> => Reply.parse(await wire.request(message as Request));
  const greet = async (challenge: Challenge): Promise<void> => {
    const nonce = randomBytes(32).toString('hex');
    const hello = helloTo(challenge, parties, identity, { nonce, ledger });
    const reply = await raw(hello);
    isUp = reply.type === 'welcome' && isWelcomeGenuine(reply, hello, parties, challenge);
    happened.ring();
  };
  const wire = connect({
    notice: (value) => {
      const notice = Notice.parse(value);
      inbox.push(notice);
      if (notice.type === 'challenge' && !silent)
        greet(notice).catch((error: unknown) => {
          if (!(error instanceof ParleyError)) throw error;
        });
      happened.ring();
    },
    lost: (reason) => {
      isUp = false;
      losses.push(reason);
      happened.ring();
    },
  });
  return {
    raw,
    sent,
    request: (message) => {
      sent.push(message);
      return raw(message);
    },
    reconnected: () => happened.until(() => (isUp ? [] : undefined)).then(() => undefined),
    notice: (type) =>
      happened.until(() => {
        const at = inbox.findIndex((notice) => notice.type === type);
        // Found by its type just above.
        return at < 0 ? undefined : (inbox.splice(at, 1)[0] as Extract<Notice, { type: typeof type }>);
      }),
    untaken: () => inbox.filter(({ type }) => type !== 'challenge'),
    lost: () => {
      const seen = losses.length;
      return happened.until(() => losses[seen]);
    },
    close: () => wire.close(),
  };
}

interface Bell {
  ring(): void;
  until<T>(look: () => T | undefined): Promise<T>;
}

function createBell(): Bell {
  const listeners = new Set<() => void>();
  return {
    ring: () => {
      for (const listener of [...listeners]) listener();
    },
    until: (look) =>
      new Promise((resolve) => {
        const check = (): void => {
          const found = look();
          if (found === undefined) return;
          listeners.delete(check);
          resolve(found);
        };
        listeners.add(check);
        check();
      }),
  };
}
