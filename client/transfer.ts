import type { Identity, PublicKey } from '../shared/crypto/identity.ts';
import { ParleyError } from '../shared/errors.ts';
import { type Offer, Receipt, type Reply, type Request, type Signed } from '../shared/protocol/messages.ts';
import { partsOf, runningHash } from '../shared/protocol/parts.ts';
import { opened, sealed } from '../shared/protocol/signed.ts';
import type { Sha256, SiteId } from '../shared/units.ts';
import type { ReleasePoint } from './site.ts';

/** An authenticated way to ask the coordinator, across as many connections as it takes. */
export interface Requester {
  /** Rejects with CONNECTION_LOST when no reply can come. */
  request(message: Request): Promise<Reply>;
  /** Resolves when a connection is up and welcomed (at once, if it is); rejects when there will be none. */
  reconnected(): Promise<void>;
}

/** What a site uploads, and the statement that it signs about it. */
export interface Upload {
  readonly site: SiteId;
  /** Signs the receipt. */
  readonly coordinatorKey: PublicKey;
  readonly identity: Identity;
  readonly about: Omit<Offer, 'sha256' | 'sizeBytes'>;
  readonly bytes: Uint8Array;
  readonly mark?: ((point: ReleasePoint) => void) | undefined;
}

/** Replies that bring a transfer no further, in a row, before it is given up. */
const maxStalls = 8;

/**
 * Upload bytes in chunks, each acknowledged before the next; after a lost connection the upload goes on where the
 * coordinator says. Resolves with its signed receipt once it has stored the upload, and does the same when it had stored it
 * before.
 *
 * @throws what the coordinator refuses with: STALE_ROUND, EQUIVOCATION, PAYLOAD_TOO_LARGE, WRONG_SHAPE, LEDGER_ROLLBACK, ...;
 * CONNECTION_LOST when the coordinator has a fault of its own; CORRUPT_CHUNK when chunks keep arriving broken; BAD_SIGNATURE or
 * MESSAGE_INVALID when the receipt is not for this upload.
 */
export async function upload(requester: Requester, it: Upload): Promise<Signed> {
  const { identity, about, bytes, mark } = it;
  const parts = partsOf(bytes);
  const offer: Offer = { ...about, sha256: parts.sha256, sizeBytes: bytes.length };
  const signed = sealed(identity, 'offer', offer);
  const last = await acrossConnections(requester, async () => {
    const stalls = countStalls('upload');
    let reply = await requester.request({ type: 'offer', signed });
    let before = -1;
    while (reply.type === 'proceed') {
      mark?.(reply.offset === 0 ? 'offered' : 'half-sent');
      if (reply.offset >= bytes.length) throw unexpected('an offset within the upload', reply);
      if (reply.offset <= before) stalls.add(`the coordinator asks for byte ${reply.offset} again`);
      before = reply.offset;
      const { offset } = reply;
      reply = await requester.request({ type: 'chunk', upload: offer.sha256, offset, ...parts.from(offset) });
      if (reply.type === 'refused' && reply.code === 'CORRUPT_CHUNK')
        reply = await requester.request({ type: 'offer', signed });
    }
    return reply;
  });
  if (last.type !== 'accepted') throw unexpected('accepted', last);
  mark?.('sent');
  return checkedReceipt(last.receipt, offer, it);
}

function checkedReceipt(
  receipt: Signed | undefined,
  { run, round, stage, sha256: hash }: Offer,
  { site, coordinatorKey }: Upload,
): Signed {
  const said = receipt && opened(coordinatorKey, 'receipt', Receipt, receipt);
  const isOurs =
    said?.run === run &&
    said.round === round &&
    said.site === site &&
    said.stage === stage &&
    said.sha256 === hash;
  if (receipt && isOurs) return receipt;
  throw new ParleyError(
    'MESSAGE_INVALID',
    `the coordinator accepted ${stage} ${round} of run ${run} ${said ? 'with a receipt for something else' : 'without a receipt'}`,
  );
}

/** A blob as the signed plan names it. */
export interface Wanted {
  readonly sha256: Sha256;
  readonly sizeBytes: number;
}

/**
 * Fetch a model in pieces, across lost connections.
 *
 * @throws MODEL_HASH_MISMATCH when the coordinator's bytes are not those that the plan names, by size (before anything is
 * allocated) or by hash; CONNECTION_LOST when the coordinator has a fault of its own; CORRUPT_CHUNK when pieces keep arriving
 * broken; UNKNOWN_BLOB.
 */
export async function fetchBlob(requester: Requester, wanted: Wanted): Promise<Uint8Array> {
  let blob: Uint8Array | undefined;
  let received = 0;
  let hash = runningHash();
  const stalls = countStalls('fetch');
  while (received < wanted.sizeBytes) {
    const ask = { type: 'fetch', sha256: wanted.sha256, offset: received } as const;
    const piece = await acrossConnections(requester, () => requester.request(ask));
    if (piece.type !== 'piece') throw unexpected('a piece', piece);
    assertFits(piece, received, wanted);
    const after = hash.and(piece.bytes);
    if (after.sha256 !== piece.prefixSha256) {
      stalls.add(`the model up to the end of the piece at byte ${received} does not have its hash`);
      continue;
    }
    hash = after;
    blob ??= new Uint8Array(wanted.sizeBytes);
    blob.set(piece.bytes, received);
    received += piece.bytes.length;
  }
  if (blob !== undefined && hash.sha256 === wanted.sha256) return blob;
  throw new ParleyError(
    'MODEL_HASH_MISMATCH',
    `the bytes sent for model ${wanted.sha256} have another hash: the coordinator is broken or not to be trusted`,
  );
}

/** Run a step of a transfer; when its connection is lost, wait for the next one and run it again. */
async function acrossConnections<T>(requester: Requester, step: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await step();
    } catch (error) {
      if (!(error instanceof ParleyError && error.code === 'CONNECTION_LOST')) throw error;
      await requester.reconnected();
    }
  }
}

function assertFits(piece: Extract<Reply, { type: 'piece' }>, received: number, wanted: Wanted): void {
  if (piece.totalBytes !== wanted.sizeBytes)
    throw new ParleyError(
      'MODEL_HASH_MISMATCH',
      `the coordinator has ${piece.totalBytes} bytes for model ${wanted.sha256}, the plan says ${wanted.sizeBytes}`,
    );
  if (piece.offset !== received || received + piece.bytes.length > wanted.sizeBytes)
    throw new ParleyError(
      'MESSAGE_INVALID',
      `asked for the piece at byte ${received}, got ${piece.bytes.length} bytes at ${piece.offset}`,
    );
}

function countStalls(what: string): { add(reason: string): void } {
  let stalls = 0;
  return {
    add: (reason) => {
      stalls += 1;
      if (stalls > maxStalls)
        throw new ParleyError(
          'CORRUPT_CHUNK',
          `the ${what} was given up after ${stalls} attempts: ${reason}`,
        );
    },
  };
}

function unexpected(wanted: string, reply: Reply): ParleyError {
  if (reply.type !== 'refused')
    return new ParleyError('MESSAGE_INVALID', `expected ${wanted}, the coordinator replied ${reply.type}`);
  // The coordinator's trouble is no end of this site's part: what still matters is ordered again when it is over.
  return new ParleyError(reply.code === 'INTERRUPTED' ? 'CONNECTION_LOST' : reply.code, reply.detail);
}
