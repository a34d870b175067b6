import {
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign as signBytes,
  verify as verifyStrictly,
} from 'node:crypto';
import { z } from 'zod';
import { lengthPrefixed, sha256 } from './encoding.ts';

/** Ed25519 public key as 64 hexadecimal digits; never one of the low-order keys, under which anybody can sign. */
export const PublicKey = z
  .string()
  .regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits')
  .refine((key) => !isLowOrder(key), 'a low-order key, under which anybody can sign')
  .brand<'PublicKey'>();
export type PublicKey = z.infer<typeof PublicKey>;

/** Ed25519 signature as 128 hexadecimal digits. */
export const Signature = z
  .string()
  .regex(/^[0-9a-f]{128}$/, '128 hexadecimal digits')
  .brand<'Signature'>();
export type Signature = z.infer<typeof Signature>;

/** An Ed25519 key pair, made where it is used; the secret key never leaves its holder. */
export const Identity = z.strictObject({
  publicKey: PublicKey,
  /** 32-byte seed as 64 hexadecimal digits. */
  secretKey: z.string().regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits'),
});
export type Identity = z.infer<typeof Identity>;

/** What a signature is for; a signature under one purpose is worthless under another. */
export type SigningPurpose =
  | 'hello'
  | 'welcome'
  | 'enrol'
  | 'plan'
  | 'score'
  | 'report'
  | 'farewell'
  | 'offer'
  | 'decline'
  | 'receipt';

/** An identity from 32 fresh bytes: of the operating system for real sites, of a seeded stream in simulations. */
export function identityFrom(seed: Uint8Array): Identity {
  const secretKey = hex(seed);
  const spki = createPublicKey(privateKeyOf(secretKey)).export({ format: 'der', type: 'spki' });
  // The raw key ends its DER wrapping.
  return { publicKey: PublicKey.parse(hex(spki.subarray(-32))), secretKey };
}

/**
 * Sign fields for one purpose: Ed25519 over SHA-256 of their domain-separated, length-prefixed encoding. Signatures are
 * deterministic (RFC 8032).
 */
export function sign(identity: Identity, purpose: SigningPurpose, fields: readonly string[]): Signature {
  return Signature.parse(hex(signBytes(null, toSign(purpose, fields), signingKey(identity))));
}

/** Parsing a key takes longer than signing with it. */
const signingKeys = new WeakMap<Identity, KeyObject>();

function signingKey(identity: Identity): KeyObject {
  const known = signingKeys.get(identity);
  if (known !== undefined) return known;
  const key = privateKeyOf(identity.secretKey);
  signingKeys.set(identity, key);
  return key;
}

function privateKeyOf(secretKey: string): KeyObject {
  // DER prefix of an Ed25519 PrivateKeyInfo (RFC 8410): node imports raw keys only in this wrapping.
  const der = Buffer.from(`302e020100300506032b657004220420${secretKey}`, 'hex');
  return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
}

/**
 * Check a signature. node:crypto refuses malleable signatures, which some libraries accept (Wycheproof); low-order keys, which it
 * accepts, are refused here. False for any key or signature that does not parse.
 */
export function verify(
  publicKey: PublicKey,
  purpose: SigningPurpose,
  fields: readonly string[],
  signature: Signature,
): boolean {
  if (isLowOrder(publicKey)) return false;
  // DER prefix of an Ed25519 SubjectPublicKeyInfo (RFC 8410): node imports raw keys only in this wrapping.
  const der = Buffer.from(`302a300506032b6570032100${publicKey}`, 'hex');
  try {
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' });
    return verifyStrictly(null, toSign(purpose, fields), key, Buffer.from(signature, 'hex'));
  } catch {
    return false;
  }
}

// The y coordinates of the eight points of low order, and the two that can also be written unreduced (plus p), without the
// sign bit of x.
const lowOrder = new Set([
  `00${'00'.repeat(31)}`,
  `01${'00'.repeat(31)}`,
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ec${'ff'.repeat(30)}7f`,
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
]);

function isLowOrder(key: string): boolean {
  const top = Number.parseInt(key.slice(62), 16) & 0x7f;
  return lowOrder.has(key.slice(0, 62) + top.toString(16).padStart(2, '0'));
}

function toSign(purpose: SigningPurpose, fields: readonly string[]): Uint8Array {
  return Buffer.from(sha256(lengthPrefixed([`parley/1 ${purpose}`, ...fields])), 'hex');
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}
