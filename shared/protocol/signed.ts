import { z } from 'zod';
import { type Identity, type PublicKey, type SigningPurpose, sign, verify } from '../crypto/identity.ts';
import { ParleyError } from '../errors.ts';
import { parsedJson } from './json.ts';
import { type Signed, signedChars } from './messages.ts';

/**
 * Sign a value as the JSON text that will travel.
 *
 * @throws PAYLOAD_TOO_LARGE when the receiver would refuse the text for its length.
 */
export function sealed(identity: Identity, purpose: SigningPurpose, value: unknown): Signed {
  const body = JSON.stringify(value);
  if (body.length > signedChars)
    throw new ParleyError(
      'PAYLOAD_TOO_LARGE',
      `this ${purpose} has ${body.length} characters, at most ${signedChars} can be signed`,
    );
  return { body, signature: sign(identity, purpose, [body]) };
}

/** Whether a value's text is short enough to be signed. */
export function isSignable(value: unknown): boolean {
  return JSON.stringify(value).length <= signedChars;
}

/**
 * Check a signed text and parse it by its schema.
 *
 * @throws BAD_SIGNATURE when the signature is not this key's for this purpose; MESSAGE_INVALID when the text does not fit.
 */
export function opened<T>(key: PublicKey, purpose: SigningPurpose, schema: z.ZodType<T>, signed: Signed): T {
  if (!verify(key, purpose, [signed.body], signed.signature))
    throw new ParleyError(
      'BAD_SIGNATURE',
      `the signature of this ${purpose} is not that of key ${key.slice(0, 16)}...`,
    );
  const parsed = schema.safeParse(parsedJson(signed.body));
  if (!parsed.success)
    throw new ParleyError(
      'MESSAGE_INVALID',
      `this ${purpose} does not fit its schema: ${z.prettifyError(parsed.error).slice(0, 1000)}`,
    );
  return parsed.data;
}
