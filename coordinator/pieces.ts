import { ParleyError } from '../shared/errors.ts';
import type { Reply, Request } from '../shared/protocol/messages.ts';
import { type Parts, partsOf } from '../shared/protocol/parts.ts';
import type { Sha256 } from '../shared/units.ts';

/** Finds bytes by their hash. */
export type Blobs = (hash: Sha256) => Promise<Uint8Array | undefined> | Uint8Array | undefined;

/** A blob that is being served. */
interface Served {
  readonly hash: Sha256;
  readonly totalBytes: number;
  readonly parts: Parts;
}

/**
 * Serve blobs piece by piece, each with the hash of what it completes. The blob asked for last stays in memory: all sites fetch the same model.
 *
 * @throws UNKNOWN_BLOB; MESSAGE_INVALID for a piece past the end.
 */
export function piecesOf(blobs: Blobs): (wanted: Extract<Request, { type: 'fetch' }>) => Promise<Reply> {
  let last: Served | undefined;
  const find = async (hash: Sha256): Promise<Served> => {
    if (last?.hash === hash) return last;
    const bytes = await blobs(hash);
    if (bytes === undefined)
      throw new ParleyError(
        'UNKNOWN_BLOB',
        `no model has the hash ${hash}: ask for the one that the plan names`,
      );
    last = { hash, totalBytes: bytes.length, parts: partsOf(bytes) };
    return last;
  };
  return async ({ sha256: hash, offset }) => {
    const { totalBytes, parts } = await find(hash);
    if (offset >= totalBytes)
      throw new ParleyError('MESSAGE_INVALID', `no piece starts at byte ${offset} of ${totalBytes}`);
    return { type: 'piece', offset, totalBytes, ...parts.from(offset) };
  };
}
