import type { Decline, Offer, Stage } from '../shared/protocol/messages.ts';
import type { RoundIndex, Sha256, SiteId } from '../shared/units.ts';
import type { Changes, Limits } from './changes.ts';
import { closeInbox, type Inbox, type InboxDuties } from './inbox.ts';
import type { LedgerHeads } from './ledger-heads.ts';
import { isOwnFault } from './own-fault.ts';

/** What the coordinator asks of some sites: one upload from each, for one stage of one round. */
export interface Expectation<T> {
  readonly stage: Stage;
  readonly round: RoundIndex;
  readonly sites: readonly SiteId[];
  /** Signed once, and sent to every asked site now and whenever it connects again without having answered. */
  readonly order: { readonly purpose: 'enrol' | 'plan' | 'score'; readonly value: unknown };
  /** Bounds on a site's upload, checked before anything is allocated for it. */
  readonly sizeBytes: (site: SiteId) => { readonly min: number; readonly max: number };
  /**
   * Check a whole upload, and store it. The site hears `accepted` only afterwards. A ParleyError refuses the upload; a fault of
   * the coordinator's own, such as a full disk, comes out of `settled`. What comes back is called when the answer enters the
   * collection, which one that comes too late never does.
   */
  readonly accept: (site: SiteId, bytes: Uint8Array, offer: Offer) => Promise<() => T> | (() => T);
}

/** The answers as they come in. */
export interface Collection<T> {
  readonly answers: ReadonlyMap<SiteId, T>;
  readonly declined: ReadonlyMap<SiteId, Decline>;
  /** Asked sites that have neither answered nor declined. */
  pending(): SiteId[];
  /** Resolves when no site is pending, the deadline has passed or the signal aborted; may be called again to wait on. */
  settled(limits: Limits & { readonly progress?: (done: number, asked: number) => void }): Promise<void>;
  /** Enter an answer that was stored before a restart, with the hash of its upload. */
  seed(site: SiteId, answer: T, sha256: Sha256): void;
  /** Take no more: later uploads are STALE_ROUND, but what was accepted stays accepted. */
  close(): void;
}

/** What a desk lends to a collection: the signed order, its signature under receipts, and what it knows of the ledgers. */
interface DeskPart extends Pick<Inbox, 'order' | 'receipt'> {
  readonly ledgers: LedgerHeads;
}

/** A collection, and the inbox through which connections fill it. */
export function openCollection<T>(
  expectation: Expectation<T>,
  changes: Changes,
  { order, receipt, ledgers }: DeskPart,
): { collection: Collection<T>; inbox: Inbox } {
  const { stage, round, sites } = expectation;
  const entries: Entries<T> = { answers: new Map(), declined: new Map(), fault: undefined };
  const { answers, declined } = entries;
  const inbox: Inbox = {
    stage,
    round,
    order,
    receipt,
    standings: new Map(sites.map((site) => [site, { phase: 'waiting' }])),
    duties: dutiesOf(expectation, entries, { changes, ledgers }),
  };
  const pending = (): SiteId[] => sites.filter((site) => !answers.has(site) && !declined.has(site));
  const isSettled = (progress?: (done: number, asked: number) => void): boolean => {
    if (entries.fault) throw entries.fault;
    const open = pending().length;
    progress?.(sites.length - open, sites.length);
    return open === 0;
  };
  const collection: Collection<T> = {
    answers,
    declined,
    pending,
    settled: ({ progress, ...limits }) => changes.until(() => isSettled(progress), limits),
    seed: (site, answer, sha256) => {
      answers.set(site, answer);
      inbox.standings.set(site, { phase: 'accepted', sha256 });
      changes.changed();
    },
    close: () => {
      closeInbox(inbox);
    },
  };
  return { collection, inbox };
}

interface Entries<T> {
  readonly answers: Map<SiteId, T>;
  readonly declined: Map<SiteId, Decline>;
  /** What failed on our side while storing. */
  fault: Error | undefined;
}

function dutiesOf<T>(
  expectation: Expectation<T>,
  entries: Entries<T>,
  { changes, ledgers }: { changes: Changes; ledgers: LedgerHeads },
): InboxDuties {
  const failed = (error: unknown): never => {
    if (isOwnFault(error)) {
      entries.fault = error instanceof Error ? error : new Error(String(error));
      changes.changed();
    }
    throw error;
  };
  return {
    sizeBytes: expectation.sizeBytes,
    accept: async (site, bytes, offer) => {
      try {
        const enter = await expectation.accept(site, bytes, offer);
        return () => {
          entries.answers.set(site, enter());
          changes.changed();
        };
      } catch (error) {
        return failed(error);
      }
    },
    remember: (site, ledger) => ledgers.remember(site, ledger).catch(failed),
    declined: (site, decline) => {
      entries.declined.set(site, decline);
      changes.changed();
    },
  };
}
