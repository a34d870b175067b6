import { assertNever, ParleyError } from '../shared/errors.ts';
import type { LedgerPosition } from '../shared/protocol/ledger-position.ts';
import type { Decline, Notice, Offer, Reply, Signed, Stage } from '../shared/protocol/messages.ts';
import type { RoundIndex, Sha256, SiteId } from '../shared/units.ts';
import { type Chunk, type IncomingUpload, incomingUpload } from './uploads.ts';

/** Where one asked site stands. */
type Standing =
  | { readonly phase: 'waiting' }
  /** `noted` resolves when the offer's ledger position is remembered: only then may bytes be asked for. */
  | { readonly phase: 'receiving'; readonly upload: IncomingUpload; readonly noted: Promise<void> }
  | { readonly phase: 'storing'; readonly sha256: Sha256; readonly reply: Promise<Reply> }
  /** Without a reply where the upload was stored before a restart; its first offer since then makes one. */
  | { readonly phase: 'accepted'; readonly sha256: Sha256; readonly reply?: Reply }
  | { readonly phase: 'declined' };

/** What an inbox hands on while its collection is open. */
export interface InboxDuties {
  sizeBytes(site: SiteId): { readonly min: number; readonly max: number };
  /** Resolves when the answer is stored, with what enters it into the collection; a ParleyError refuses the upload. */
  accept(site: SiteId, bytes: Uint8Array, offer: Offer): Promise<() => void>;
  /** Throws LEDGER_ROLLBACK for a position older than was seen; resolves when this one is remembered. */
  remember(site: SiteId, ledger: LedgerPosition): Promise<void>;
  declined(site: SiteId, decline: Decline): void;
}

/** The uploads asked of some sites for one stage of one round: one from each, idempotent, never two different ones. */
export interface Inbox {
  readonly stage: Stage;
  readonly round: RoundIndex;
  /** The signed order that asks for it. */
  readonly order: Notice;
  readonly standings: Map<SiteId, Standing>;
  /** Signs that a site's upload is held; also after the inbox was closed. */
  readonly receipt: (site: SiteId, offer: Offer) => Signed;
  /** undefined once closed: then only what was settled before is confirmed again. */
  duties: InboxDuties | undefined;
}

export function isPending(inbox: Inbox, site: SiteId): boolean {
  const phase = inbox.standings.get(site)?.phase;
  return phase !== undefined && phase !== 'accepted' && phase !== 'declined';
}

/** Close an inbox and let go of everything but who was accepted, by hash, and who declined. */
export function closeInbox(inbox: Inbox): void {
  inbox.duties = undefined;
  for (const site of inbox.standings.keys())
    if (isPending(inbox, site)) inbox.standings.set(site, { phase: 'waiting' });
}

/**
 * A site offers an upload.
 *
 * What a site repeats gets the reply that it got before, also when its ledger has moved on since it signed it. Only a new
 * offer is compared with the newest ledger position, and becomes it.
 *
 * @throws STALE_ROUND when it is not (or no longer) asked for; EQUIVOCATION when the site said something else before;
 * PAYLOAD_TOO_LARGE or WRONG_SHAPE by its size; LEDGER_ROLLBACK; and what storing refuses.
 */
export function takeOffer(inbox: Inbox, site: SiteId, offer: Offer): Reply | Promise<Reply> {
  const standing = standingOf(inbox, site);
  switch (standing.phase) {
    case 'waiting':
      return begin(inbox, site, offer);
    case 'receiving': {
      const before = standing.upload.offer;
      if (before.sha256 !== offer.sha256 || before.sizeBytes !== offer.sizeBytes)
        throw twoWords(inbox, site, `an upload with hash ${before.sha256}`);
      return standing.noted.then(() => proceed(standing.upload));
    }
    case 'storing':
    case 'accepted':
      if (standing.sha256 !== offer.sha256)
        throw twoWords(inbox, site, `an upload with hash ${standing.sha256}`);
      return standing.phase === 'storing' ? standing.reply : (standing.reply ?? accepted(inbox, site, offer));
    case 'declined':
      throw twoWords(inbox, site, 'that it declines');
    default:
      return assertNever(standing);
  }
}

/** A site declines. The first reason stands. Throws STALE_ROUND, EQUIVOCATION and LEDGER_ROLLBACK as offers do. */
export async function takeDecline(inbox: Inbox, site: SiteId, decline: Decline): Promise<Reply> {
  const standing = standingOf(inbox, site);
  if (standing.phase === 'declined') return { type: 'accepted' };
  if (standing.phase === 'accepted' || standing.phase === 'storing')
    throw twoWords(inbox, site, `an upload with hash ${standing.sha256}`);
  const noted = openDuties(inbox).remember(site, decline.ledger);
  inbox.standings.set(site, { phase: 'declined' });
  openDuties(inbox).declined(site, decline);
  await noted;
  return { type: 'accepted' };
}

/** A site sends a chunk; undefined when it belongs to no upload of this inbox. Throws CORRUPT_CHUNK, PAYLOAD_TOO_LARGE. */
export function takeChunk(inbox: Inbox, site: SiteId, chunk: Chunk): Reply | Promise<Reply> | undefined {
  const standing = inbox.standings.get(site);
  switch (standing?.phase) {
    case 'receiving':
      return standing.upload.offer.sha256 === chunk.upload
        ? receive(inbox, site, { upload: standing.upload, chunk })
        : undefined;
    case 'storing':
      return standing.sha256 === chunk.upload ? standing.reply : undefined;
    case 'accepted':
      return standing.sha256 === chunk.upload ? standing.reply : undefined;
    case 'waiting':
    case 'declined':
    case undefined:
      return undefined;
  }
}

function begin(inbox: Inbox, site: SiteId, offer: Offer): Promise<Reply> {
  const { min, max } = openDuties(inbox).sizeBytes(site);
  if (offer.sizeBytes > max)
    throw new ParleyError(
      'PAYLOAD_TOO_LARGE',
      `${label(inbox)} of site ${site} may have ${max} bytes, it claims ${offer.sizeBytes}`,
    );
  if (offer.sizeBytes < min)
    throw new ParleyError(
      'WRONG_SHAPE',
      `${label(inbox)} of site ${site} must have at least ${min} bytes, it has ${offer.sizeBytes}`,
    );
  const noted = openDuties(inbox).remember(site, offer.ledger);
  const upload = incomingUpload(offer);
  inbox.standings.set(site, { phase: 'receiving', upload, noted });
  return noted.then(() => proceed(upload));
}

function proceed(upload: IncomingUpload): Reply {
  return { type: 'proceed', offset: upload.received() };
}

function receive(
  inbox: Inbox,
  site: SiteId,
  { upload, chunk }: { upload: IncomingUpload; chunk: Chunk },
): Reply | Promise<Reply> {
  const bytes = upload.take(chunk);
  if (bytes === undefined) return proceed(upload);
  const { offer } = upload;
  const stored = openDuties(inbox).accept(site, bytes, offer);
  const reply = stored.then(
    (enter) => {
      if (inbox.duties === undefined) throw stale(inbox, site);
      // Both in one step: nobody sees an answer whose upload is not accepted, or the reverse.
      enter();
      return accepted(inbox, site, offer);
    },
    (error: unknown) => {
      // What was refused may be corrected: another upload can be offered.
      inbox.standings.set(site, { phase: 'waiting' });
      throw error;
    },
  );
  inbox.standings.set(site, { phase: 'storing', sha256: offer.sha256, reply });
  return reply;
}

/** The upload is held from now on; whoever asks again gets the same receipt. */
function accepted(inbox: Inbox, site: SiteId, offer: Offer): Reply {
  const reply: Reply = { type: 'accepted', receipt: inbox.receipt(site, offer) };
  inbox.standings.set(site, { phase: 'accepted', sha256: offer.sha256, reply });
  return reply;
}

function standingOf(inbox: Inbox, site: SiteId): Standing {
  const standing = inbox.standings.get(site);
  const isSettled = standing?.phase === 'accepted' || standing?.phase === 'declined';
  if (standing === undefined || (inbox.duties === undefined && !isSettled)) throw stale(inbox, site);
  return standing;
}

function openDuties(inbox: Inbox): InboxDuties {
  if (inbox.duties === undefined) throw new TypeError(`${label(inbox)} is closed`);
  return inbox.duties;
}

function stale(inbox: Inbox, site: SiteId): ParleyError {
  return new ParleyError('STALE_ROUND', `${label(inbox)} is not wanted of site ${site} (any more)`);
}

function twoWords(inbox: Inbox, site: SiteId, before: string): ParleyError {
  return new ParleyError('EQUIVOCATION', `for ${label(inbox)}, site ${site} said ${before} before`);
}

function label({ stage, round }: Inbox): string {
  return `${stage} ${round}`;
}
