import type { z } from 'zod';
import type { PublicKey } from '../shared/crypto/identity.ts';
import { ParleyError } from '../shared/errors.ts';
import { Decline, type Notice, Offer, type Reply, type Signed } from '../shared/protocol/messages.ts';
import { opened } from '../shared/protocol/signed.ts';
import type { RunId, SiteId } from '../shared/units.ts';
import { closeInbox, type Inbox, isPending, takeChunk, takeDecline, takeOffer } from './inbox.ts';
import type { Chunk } from './uploads.ts';

/** The inboxes of a run, by stage and round: checks signatures and brings each upload to its inbox. */
export interface Mailroom {
  /** Put an inbox up; an older one of the same stage and round closes. */
  add(inbox: Inbox): void;
  /** Orders that a site has not answered yet, oldest first. */
  ordersFor(site: SiteId): Notice[];
  offer(site: SiteId, signed: Signed): Reply | Promise<Reply>;
  decline(site: SiteId, signed: Signed): Reply | Promise<Reply>;
  chunk(site: SiteId, chunk: Chunk): Reply | Promise<Reply>;
}

/** Inboxes kept at most, closed ones too, so that a site that lost a reply can ask again. */
const maxInboxes = 64;

/** The mailroom of one run; signatures are checked with the sites' own keys. */
export function createMailroom(run: RunId, sites: ReadonlyMap<SiteId, PublicKey>): Mailroom {
  const inboxes = new Map<string, Inbox>();
  const find = (letter: Offer | Decline): Inbox => {
    const inbox = letter.run === run ? inboxes.get(keyOf(letter)) : undefined;
    if (inbox) return inbox;
    throw new ParleyError(
      'STALE_ROUND',
      `${letter.stage} ${letter.round} of run ${letter.run} is not asked for`,
    );
  };
  const read = <T>(site: SiteId, purpose: 'offer' | 'decline', schema: z.ZodType<T>, signed: Signed): T => {
    const key = sites.get(site);
    if (key) return opened(key, purpose, schema, signed);
    throw new ParleyError('UNKNOWN_KEY', `site ${site} has no key on the list of sites`);
  };
  return {
    add: (inbox) => {
      const key = keyOf(inbox);
      const older = inboxes.get(key);
      if (older) closeInbox(older);
      inboxes.delete(key);
      inboxes.set(key, inbox);
      forgetOldest(inboxes);
    },
    ordersFor: (site) =>
      [...inboxes.values()]
        .filter((inbox) => inbox.duties !== undefined && isPending(inbox, site))
        .map(({ order }) => order),
    offer: (site, signed) => {
      const offer = read(site, 'offer', Offer, signed);
      return takeOffer(find(offer), site, offer);
    },
    decline: (site, signed) => {
      const decline = read(site, 'decline', Decline, signed);
      return takeDecline(find(decline), site, decline);
    },
    chunk: (site, chunk) => {
      // Newest first: equal bytes may have been accepted in an earlier round.
      for (const inbox of [...inboxes.values()].reverse()) {
        const reply = takeChunk(inbox, site, chunk);
        if (reply) return reply;
      }
      throw new ParleyError(
        'STALE_ROUND',
        `no upload with hash ${chunk.upload} is under way: offer it first`,
      );
    },
  };
}

function forgetOldest(inboxes: Map<string, Inbox>): void {
  for (const [key, inbox] of inboxes) {
    if (inboxes.size <= maxInboxes) return;
    if (inbox.duties === undefined) inboxes.delete(key);
  }
}

function keyOf({ stage, round }: Pick<Inbox, 'stage' | 'round'>): string {
  return `${stage}/${round}`;
}
