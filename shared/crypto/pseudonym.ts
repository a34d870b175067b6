import { createHmac } from 'node:crypto';
import { z } from 'zod';
import type { RunId } from '../units.ts';
import { lengthPrefixed } from './encoding.ts';

/**
 * Keyed pseudonyms, under which sites recognise a person they share without naming her. Whoever holds the key can compute
 * the pseudonym of anybody whose identifier he can guess: the sites hold it, the coordinator never does.
 */

/** Linkage key as 64 hexadecimal digits: 32 random bytes that linked sites share. */
export const LinkageKey = z
  .string()
  .regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits')
  .brand<'LinkageKey'>();
export type LinkageKey = z.infer<typeof LinkageKey>;

/** HMAC-SHA256 of a user id under the linkage key, 64 hexadecimal digits: the same at every site that knows the person. */
export const Pseudonym = z
  .string()
  .regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits')
  .brand<'Pseudonym'>();
export type Pseudonym = z.infer<typeof Pseudonym>;

/** Tells whether two files were made with the same key, and nothing else about it. 64 hexadecimal digits. */
export const KeyCheck = z
  .string()
  .regex(/^[0-9a-f]{64}$/, '64 hexadecimal digits')
  .brand<'KeyCheck'>();
export type KeyCheck = z.infer<typeof KeyCheck>;

/** A linkage key from 32 bytes: of the operating system for real sites, of a seeded stream in simulations. */
export function linkageKeyFrom(bytes: Uint8Array): LinkageKey {
  return LinkageKey.parse(Buffer.from(bytes).toString('hex'));
}

/** Pseudonym of a user id. Ids are compared as text, byte for byte: every site must write a person's id in the same way. */
export function pseudonymOf(key: LinkageKey, userId: string): Pseudonym {
  return keyed(key, ['user', userId]).toString('hex') as Pseudonym;
}

/** The key's check value. */
export function keyCheckOf(key: LinkageKey): KeyCheck {
  return keyed(key, ['key check']).toString('hex') as KeyCheck;
}

/** One person's independent random choices about a run's audit; the same at every site, whoever else is in the data. */
export interface RoleDraw {
  /** Uniform on the multiples of 2^-48 in [0, 1): an audit user when it lies below the fraction. */
  readonly audited: number;
  /** The same, for being a reference user among the audit users. */
  readonly reference: number;
  /** The fair coin between member (true) and held-out. */
  readonly member: boolean;
}

/** HMAC-SHA256 as a pseudorandom function of (run, pseudonym): to whoever lacks the key, fair and independent draws. */
export function roleDraw(key: LinkageKey, run: RunId, pseudonym: Pseudonym): RoleDraw {
  const bytes = keyed(key, ['audit role', run, pseudonym]);
  return {
    audited: bytes.readUIntBE(0, 6) / 2 ** 48,
    reference: bytes.readUIntBE(6, 6) / 2 ** 48,
    member: bytes.readUInt8(12) >= 128,
  };
}

function keyed(key: LinkageKey, [purpose = '', ...fields]: readonly string[]): Buffer {
  return createHmac('sha256', Buffer.from(key, 'hex'))
    .update(lengthPrefixed([`parley/1 linkage ${purpose}`, ...fields]))
    .digest();
}
