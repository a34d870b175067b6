import { ParleyError } from '../shared/errors.ts';
import type { Offer, Request } from '../shared/protocol/messages.ts';
import { type RunningHash, runningHash } from '../shared/protocol/parts.ts';

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
   * @throws PAYLOAD_TOO_LARGE when it reaches past the size offered; CORRUPT_CHUNK when it does not
   * fit its hash, or the whole not the offer's, which then starts again at 0.
   */
  take(chunk: Chunk): Uint8Array | undefined;
}

/** Prepare for an upload whose size was checked; memory is only taken when the first good chunk comes. */
export function incomingUpload(offer: Offer): IncomingUpload {
  let whole: Uint8Array | undefined;
  let hash = runningHash();
  let received = 0;
  const complete = (bytes: Uint8Array): Uint8Array => {
    const found = hash.sha256;
    if (found === offer.sha256) return bytes;
    hash = runningHash();
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
      assertWithin(chunk, offer.sizeBytes);
      if (chunk.offset !== received) return undefined;
      hash = checked(chunk, hash);
      whole ??= new Uint8Array(offer.sizeBytes);
      whole.set(chunk.bytes, received);
      received += chunk.bytes.length;
      return received < offer.sizeBytes ? undefined : complete(whole);
    },
  };
}

function assertWithin({ offset, bytes }: Chunk, sizeBytes: number): void {
  const end = offset + bytes.length;
  if (end > sizeBytes)
    throw new ParleyError(
      'PAYLOAD_TOO_LARGE',
      `the chunk ends at byte ${end} of an upload offered with ${sizeBytes}`,
    );
}

/** The hash with the chunk, which must be the one that it came with. */
function checked({ offset, bytes, prefixSha256 }: Chunk, before: RunningHash): RunningHash {
  const after = before.and(bytes);
  if (after.sha256 === prefixSha256) return after;
  throw new ParleyError(
    'CORRUPT_CHUNK',
    `the upload up to the end of the chunk at byte ${offset} does not have its hash: send the chunk again`,
  );
}
