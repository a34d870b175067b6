import { sha256 } from '../shared/crypto/encoding.ts';
import { ParleyError } from '../shared/errors.ts';
import { chunkBytes, type Reply, type Request } from '../shared/protocol/messages.ts';
import type { Sha256 } from '../shared/units.ts';

/** Finds bytes by their hash. */
export type Blobs = (hash: Sha256) => Promise<Uint8Array | undefined> | Uint8Array | undefined;

/**
 * Serve blobs piece by piece, each with its hash. The blob asked for last stays in memory: all sites fetch the same model.
 *
 * @throws UNKNOWN_BLOB; MESSAGE_INVALID for a piece past the end.
 */
export function piecesOf(blobs: Blobs): (wanted: Extract<Request, { type: 'fetch' }>) => Promise<Reply> {
  let last: { readonly hash: Sha256; readonly bytes: Uint8Array } | undefined;
  const find = async (hash: Sha256): Promise<Uint8Array> => {
    if (last?.hash === hash) return last.bytes;
    const bytes = await blobs(hash);
    if (bytes === undefined)
      throw new ParleyError(
        'UNKNOWN_BLOB',
        `no model has the hash ${hash}: ask for the one that the plan names`,
      );
    last = { hash, bytes };
    return bytes;
  };
  return async ({ sha256: hash, offset }) => {
    const blob = await find(hash);
    if (offset >= blob.length)
      throw new ParleyError('MESSAGE_INVALID', `no piece starts at byte ${offset} of ${blob.length}`);
    const bytes = new Uint8Array(blob.subarray(offset, offset + chunkBytes));
    return { type: 'piece', offset, totalBytes: blob.length, sha256: sha256(bytes), bytes };
  };
}
