import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { keyCheckOf, linkageKeyFrom, pseudonymOf, roleDraw } from '../../../shared/crypto/pseudonym.ts';
import { RunId } from '../../../shared/units.ts';

const key = linkageKeyFrom(Uint8Array.from({ length: 32 }, (_, index) => index));
const other = linkageKeyFrom(new Uint8Array(32).fill(1));
const run = RunId.parse('run-1');

describe('pseudonyms', () => {
  test('are HMAC-SHA256 over the length-prefixed purpose and id', () => {
    // Python: hmac.new(bytes(range(32)), lp('parley/1 linkage user', id), hashlib.sha256), lp = 4-byte length before each.
    expect(pseudonymOf(key, '8222157')).toBe(
      'f0fd13e10082f38d6202a1e61b03059431e0f533f6d50ff36354fc13c10d5bf6',
    );
    expect(pseudonymOf(key, 'Zoë')).toBe('02f0eee48d0c9cb471c3d6c0bc328629c79384dd330c69b39786435aee818b56');
    expect(keyCheckOf(key)).toBe('c89c6c51c740abc69c912d909410b3cf244212a048e829ddbb06c64c20fda9ea');
  });

  test('differ between ids and between keys, and never equal the key check', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (a, b) => {
        expect(pseudonymOf(key, a) === pseudonymOf(key, b)).toBe(a === b);
        expect(pseudonymOf(key, a)).not.toBe(pseudonymOf(other, a));
        expect<string>(pseudonymOf(key, a)).not.toBe(keyCheckOf(key));
      }),
    );
    // Ids are text: what a person would read as one number is two.
    expect(pseudonymOf(key, '08222157')).not.toBe(pseudonymOf(key, '8222157'));
    expect(keyCheckOf(key)).not.toBe(keyCheckOf(other));
  });

  test('need a key of 32 bytes', () => {
    expect(() => linkageKeyFrom(new Uint8Array(31))).toThrow();
  });
});

describe('role draws', () => {
  test('are read off one HMAC: 48 bits, 48 bits, one bit', () => {
    expect(roleDraw(key, run, pseudonymOf(key, '8222157'))).toEqual({
      audited: 0.2818058969210462,
      reference: 0.6773637459358923,
      member: false,
    });
  });

  test('change with the run and with the key', () => {
    const pseudonym = pseudonymOf(key, 'x');
    const draw = roleDraw(key, run, pseudonym);
    expect(roleDraw(key, RunId.parse('run-2'), pseudonym)).not.toEqual(draw);
    expect(roleDraw(other, run, pseudonym)).not.toEqual(draw);
    expect(roleDraw(key, run, pseudonym)).toEqual(draw);
  });
});
