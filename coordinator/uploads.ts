import { createHash } from 'node:crypto';
import { sha256 } from '../shared/crypto/encoding.ts';
import { ParleyError } from '../shared/errors.ts';
import type { Offer, Request } from '../shared/protocol/messages.ts';

export type Chunk = Extract<Request, { type: 'chunk' }>;

/** One upload on its way in. It outlives connections: a site goes on where the last one ended. */
export interface IncomingUpload {
  readonly offer: Offer;
  /** Bytes received and checked so far. */
  received(): number;
  /**
   * Take one chunk; the whole upload once it is complete, undefined before. A chunk for another place than `received()`
   * changes nothing.
   *
   * @throws PAYLOAD_TOO_LARGE when it reaches past the size offered; CORRUPT_CHUNK when its hash is wrong, or that of the
   * whole, which then starts again at 0.
   */
  take(chunk: Chunk): Uint8Array | undefined;
}

/** Prepare for an upload whose size was checked; memory is only taken when the first good chunk comes. */
export function incomingUpload(offer: Offer): IncomingUpload {
  let whole: Uint8Array | undefined;
  let hash = createHash('sha256');
  let received = 0;
  const complete = (bytes: Uint8Array): Uint8Array => {
    const found = hash.digest('hex');
    hash = createHash('sha256');
    if (found === offer.sha256) return bytes;
    received = 0;
    throw new ParleyError(
      'CORRUPT_CHUNK',
      `the upload's hash is ${found}, offered was ${offer.sha256}: send it again from the start`,
    );
  };
  return {
    offer,
    received: () => received,
    take: (chunk) => {
      assertIntact(chunk, offer.sizeBytes);
      if (chunk.offset !== received) return undefined;
      whole ??= new Uint8Array(offer.sizeBytes);
      whole.set(chunk.bytes, received);
      hash.update(chunk.bytes);
      received += chunk.bytes.length;
      return received < offer.sizeBytes ? undefined : complete(whole);
    },
  };
}

function assertIntact({ offset, bytes, sha256: claimed }: Chunk, sizeBytes: number): void {
  const end = offset + bytes.length;
  if (end > sizeBytes)
    throw new ParleyError(
      'PAYLOAD_TOO_LARGE',
      `the chunk ends at byte ${end} of an upload offered with ${sizeBytes}`,
    );
  if (sha256(bytes) !== claimed)
    throw new ParleyError(
      'CORRUPT_CHUNK',
      `the chunk at byte ${offset} does not have its hash: send it again`,
    );
}
