import type { Upload } from '../../client/transfer.ts';
import type { After } from '../../coordinator/changes.ts';
import type { Collection, Expectation } from '../../coordinator/desk.ts';
import { createDesk, type Desk } from '../../coordinator/desk.ts';
import { type HeadStore, openLedgerHeads } from '../../coordinator/ledger-heads.ts';
import { sha256 } from '../../shared/crypto/encoding.ts';
import { chunkBytes, type Decline, type Offer, type Reply } from '../../shared/protocol/messages.ts';
import { sealed } from '../../shared/protocol/signed.ts';
import { seededRng } from '../../shared/random/rng.ts';
import { RoundIndex, Seed } from '../../shared/units.ts';
import { headsInMemory, position } from '../support/ledger-positions.ts';
import type { Link, OpenLink } from './links.ts';
import { alpha, beta, coordinator, joinSite, run, type SiteOptions, sites, type TestSite } from './site.ts';

/** Three chunks and a half. */
export const payload = seededRng(Seed.parse(5)).bytes(chunkBytes * 3 + chunkBytes / 2);
export const model = seededRng(Seed.parse(6)).bytes(chunkBytes * 2 + 17);
export const modelHash = sha256(model);
export const round = RoundIndex.parse(3);
/** What a site says about an upload of this round. */
export const about: Omit<Offer, 'sha256' | 'sizeBytes'> = {
  run,
  round,
  stage: 'update',
  ledger: position(5),
};
export const noLimit = { deadlineMs: 2 ** 40 };
/** The first bytes of the payload. */
export const small = payload.slice(0, 5000);
/** What a site says when it declines to take part in this round. */
export const decline: Decline = {
  run,
  round,
  stage: 'update',
  code: 'BUDGET_EXCEEDED',
  detail: 'no',
  ledger: position(5),
};

/** An upload of the payload, or something else. */
export function uploadBy(who: SiteOptions, change: Partial<Upload> = {}): Upload {
  return { ...who, coordinatorKey: coordinator.publicKey, about, bytes: payload, ...change };
}

/** Alpha declines, with something changed. */
export function declined(site: TestSite, change: Partial<Decline> = {}): Promise<Reply> {
  const signed = sealed(alpha.identity, 'decline', { ...decline, ...change });
  return site.raw({ type: 'decline', signed });
}

/** A desk behind a link, and what was opened on it, to be closed after the test. */
export interface Fixture {
  readonly desk: Desk;
  readonly link: Link;
  join(who?: SiteOptions): TestSite;
  /** Join, and wait until the site and the desk have greeted each other. */
  joined(who?: SiteOptions): Promise<TestSite>;
  /** Ask alpha and beta for an update of the payload's size. */
  ask(change?: Partial<Expectation<number>>): Collection<number>;
  close(): Promise<void>;
}

export interface FixtureOptions {
  readonly after?: After;
  readonly heads?: HeadStore;
}

export async function openFixture(
  open: OpenLink,
  { after, heads = headsInMemory() }: FixtureOptions = {},
): Promise<Fixture> {
  const desk = createDesk({
    run,
    identity: coordinator,
    sites,
    ledgers: await openLedgerHeads(heads),
    rng: seededRng(Seed.parse(1)),
    blob: (hash) => (hash === modelHash ? model : undefined),
    ...(after && { after }),
  });
  const link = await open(desk);
  const joined: TestSite[] = [];
  const join = (who: SiteOptions = alpha): TestSite => {
    const site = joinSite(link.connect, who);
    joined.push(site);
    return site;
  };
  return {
    desk,
    link,
    join,
    joined: async (who = alpha) => {
      const site = join(who);
      await desk.untilConnected([who.site], noLimit);
      await site.reconnected();
      return site;
    },
    ask: (change = {}) =>
      desk.expect({
        stage: 'update',
        round,
        sites: [alpha.site, beta.site],
        order: { purpose: 'plan', value: { round } },
        sizeBytes: () => ({ min: 1000, max: payload.length }),
        accept: (_site, bytes) => () => bytes.length,
        ...change,
      }),
    close: async () => {
      await Promise.all(joined.map((site) => site.close()));
      desk.close();
      await link.close();
    },
  };
}
