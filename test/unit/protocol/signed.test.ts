import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import { identityFrom } from '../../../shared/crypto/identity.ts';
import { signedChars } from '../../../shared/protocol/messages.ts';
import { opened, sealed } from '../../../shared/protocol/signed.ts';
import { withCode } from '../../support/with-code.ts';

const identity = identityFrom(new Uint8Array(32).fill(1));
const schema = z.strictObject({ round: z.number(), note: z.string() });

describe('signed texts', () => {
  test('open to the value that was sealed, under the same purpose and key', () => {
    fc.assert(
      fc.property(fc.integer(), fc.string(), (round, note) => {
        const signed = sealed(identity, 'plan', { round, note });
        expect(opened(identity.publicKey, 'plan', schema, signed)).toEqual({ round, note });
      }),
      { numRuns: 10 },
    );
  });

  test('are BAD_SIGNATURE under another purpose, another key, or after any change', () => {
    const signed = sealed(identity, 'plan', { round: 1, note: '' });
    const other = identityFrom(new Uint8Array(32).fill(2));
    expect(() => opened(identity.publicKey, 'report', schema, signed)).toThrow(withCode('BAD_SIGNATURE'));
    expect(() => opened(other.publicKey, 'plan', schema, signed)).toThrow(withCode('BAD_SIGNATURE'));
    const changed = { ...signed, body: signed.body.replace('1', '2') };
    expect(() => opened(identity.publicKey, 'plan', schema, changed)).toThrow(withCode('BAD_SIGNATURE'));
  });

  test('are MESSAGE_INVALID when well signed but not what the schema asks for', () => {
    for (const value of [{ round: 1 }, { round: 1, note: '', more: 1 }, [], 'text', null])
      expect(() => opened(identity.publicKey, 'plan', schema, sealed(identity, 'plan', value))).toThrow(
        withCode('MESSAGE_INVALID'),
      );
  });

  test('that the receiver would refuse for their length are not made', () => {
    const note = 'x'.repeat(signedChars);
    expect(() => sealed(identity, 'plan', { note })).toThrow(withCode('PAYLOAD_TOO_LARGE'));
  });
});
