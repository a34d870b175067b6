import { z } from 'zod';
import { PublicKey, Signature } from '../crypto/identity.ts';
import { type ErrorCode, errorCodes } from '../errors.ts';
import { RoundIndex, RunId, Sha256, SiteId } from '../units.ts';
import { LedgerPosition } from './ledger-position.ts';

/**
 * Every message on the wire (docs/protocol.md has the table). Clients ask and the coordinator replies; what the
 * coordinator wants is a notice. Requests are idempotent by (run, round, site, stage): sent twice, they do the same once.
 */

/** Bytes of one chunk at most; the transport's message cap is this plus room for a header. */
export const chunkBytes = 512 * 1024;

/** Characters of a signed text at most. */
export const signedChars = 1_000_000;

const bytes = z
  .custom<Uint8Array>(
    (value) => value instanceof Uint8Array && value.length >= 1 && value.length <= chunkBytes,
    'a chunk of bytes',
  )
  .meta({ type: 'string', format: 'binary', minLength: 1, maxLength: chunkBytes });
const size = z.number().int().nonnegative();
const nonce = z.string().regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits');

/** A JSON text signed as it stands: the receiver checks the signature on these very bytes, then parses them. */
export const Signed = z.strictObject({ body: z.string().max(signedChars), signature: Signature });
export type Signed = z.infer<typeof Signed>;

/** What a client uploads. Roster: its audit users, once a run. Update: one round's release. Signals: one model's scores. */
export const Stage = z.enum(['roster', 'update', 'signals']);
export type Stage = z.infer<typeof Stage>;

/** Body of an offer: the upload that follows. `round` is the model version for signals and 0 for the roster. */
export const Offer = z.strictObject({
  run: RunId,
  round: RoundIndex,
  stage: Stage,
  sha256: Sha256,
  sizeBytes: size.positive(),
  /** Of the site's ledger, when it signed this. */
  ledger: LedgerPosition,
});
export type Offer = z.infer<typeof Offer>;

/** Body of a refusal to take part in a stage, with the site's reason. Declining does not depend on the site's data. */
export const Decline = z.strictObject({
  run: RunId,
  round: RoundIndex,
  stage: Stage,
  code: z.string(),
  detail: z.string().max(2000),
  ledger: LedgerPosition,
});
export type Decline = z.infer<typeof Decline>;

/** Body of the coordinator's receipt: it holds the whole of this upload, which the site offered at this ledger position. */
export const Receipt = z.strictObject({
  run: RunId,
  round: RoundIndex,
  site: SiteId,
  stage: Stage,
  sha256: Sha256,
  ledger: LedgerPosition,
});
export type Receipt = z.infer<typeof Receipt>;

// The cast says what Object.keys does not: the keys of this constant table are its type's keys.
const code = z.enum(Object.keys(errorCodes) as ErrorCode[]);

export const Notice = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('challenge'), protocolVersion: z.number().int(), run: RunId, nonce }),
  z.strictObject({ type: z.literal('enrol'), signed: Signed }),
  z.strictObject({ type: z.literal('plan'), signed: Signed }),
  z.strictObject({ type: z.literal('score'), signed: Signed }),
  z.strictObject({ type: z.literal('report'), signed: Signed }),
  z.strictObject({ type: z.literal('farewell'), signed: Signed }),
]);
export type Notice = z.infer<typeof Notice>;

export const Request = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('hello'),
    protocolVersion: z.number().int(),
    site: SiteId,
    publicKey: PublicKey,
    nonce,
    /** Of the site's ledger now; LEDGER_ROLLBACK when it is older than one that the coordinator has seen. */
    ledger: LedgerPosition,
    signature: Signature,
  }),
  z.strictObject({ type: z.literal('fetch'), sha256: Sha256, offset: size }),
  z.strictObject({ type: z.literal('decline'), signed: Signed }),
  z.strictObject({ type: z.literal('offer'), signed: Signed }),
  /** `prefixSha256` is the hash of the upload up to the end of this chunk. */
  z.strictObject({ type: z.literal('chunk'), upload: Sha256, offset: size, prefixSha256: Sha256, bytes }),
]);
export type Request = z.infer<typeof Request>;

export const Reply = z.discriminatedUnion('type', [
  /** `ledger` is the newest position that the coordinator has seen of this site; a site that never was there must stop. */
  z.strictObject({ type: z.literal('welcome'), ledger: LedgerPosition.nullable(), signature: Signature }),
  /** `prefixSha256` is the hash of the blob up to the end of this piece. */
  z.strictObject({ type: z.literal('piece'), offset: size, totalBytes: size, prefixSha256: Sha256, bytes }),
  /** Send the upload's bytes from this offset on. */
  z.strictObject({ type: z.literal('proceed'), offset: size }),
  /** The whole upload, or the refusal to take part, is stored; uploads have a receipt. */
  z.strictObject({ type: z.literal('accepted'), receipt: Signed.optional() }),
  z.strictObject({ type: z.literal('refused'), code, detail: z.string() }),
]);
export type Reply = z.infer<typeof Reply>;
