import fc from 'fast-check';
import nacl from 'tweetnacl';
import { describe, expect, test } from 'vitest';
import { lengthPrefixed, sha256 } from '../../../shared/crypto/encoding.ts';
import {
  identityFrom,
  PublicKey,
  Signature,
  type SigningPurpose,
  sign,
  verify,
} from '../../../shared/crypto/identity.ts';

const purposes: SigningPurpose[] = [
  'hello',
  'welcome',
  'enrol',
  'plan',
  'score',
  'report',
  'farewell',
  'offer',
  'decline',
];
const seed = fc.uint8Array({ minLength: 32, maxLength: 32 });
const fields = fc.array(fc.string(), { maxLength: 4 });

describe('keys', () => {
  test('come from their seed as in RFC 8032 section 7.1, test 1', () => {
    const secret = '9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60';
    const identity = identityFrom(Buffer.from(secret, 'hex'));
    expect(identity.publicKey).toBe('d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a');
    expect(identity.secretKey).toBe(secret);
  });
});

describe('signatures', () => {
  test('hold for what was signed, under that purpose and key, and for nothing else', () => {
    fc.assert(
      fc.property(seed, seed, fields, fc.constantFrom(...purposes), (mine, other, said, purpose) => {
        fc.pre(!Buffer.from(mine).equals(Buffer.from(other)));
        const identity = identityFrom(mine);
        const signature = sign(identity, purpose, said);
        expect(verify(identity.publicKey, purpose, said, signature)).toBe(true);
        expect(verify(identityFrom(other).publicKey, purpose, said, signature)).toBe(false);
        expect(verify(identity.publicKey, purpose, [...said, ''], signature)).toBe(false);
        for (const wrong of purposes.filter((name) => name !== purpose))
          expect(verify(identity.publicKey, wrong, said, signature)).toBe(false);
      }),
      { numRuns: 8 },
    );
  });

  test('and keys are those of another implementation over the documented bytes (RFC 8032 is deterministic)', () => {
    fc.assert(
      fc.property(seed, fields, (mine, said) => {
        const message = Buffer.from(sha256(lengthPrefixed(['parley/1 offer', ...said])), 'hex');
        const { publicKey, secretKey } = nacl.sign.keyPair.fromSeed(mine);
        const theirs = Buffer.from(nacl.sign.detached(message, secretKey)).toString('hex');
        const identity = identityFrom(mine);
        expect(identity.publicKey).toBe(Buffer.from(publicKey).toString('hex'));
        expect(sign(identity, 'offer', said)).toBe(theirs);
      }),
      { numRuns: 8 },
    );
  });

  test('are refused after any single flipped bit', () => {
    const identity = identityFrom(new Uint8Array(32).fill(7));
    const good = sign(identity, 'plan', ['a', 'b']);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 511 }), (bit) => {
        const bytes = Buffer.from(good, 'hex');
        bytes[bit >> 3]! ^= 1 << (bit & 7);
        expect(verify(identity.publicKey, 'plan', ['a', 'b'], Signature.parse(bytes.toString('hex')))).toBe(
          false,
        );
      }),
    );
  });
});

describe('what tweetnacl alone would accept', () => {
  // Order of the base point, RFC 8032 section 5.1.
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;

  test('a malleable signature (S + L, Wycheproof tc63) is refused', () => {
    const identity = identityFrom(new Uint8Array(32).fill(9));
    const good = sign(identity, 'plan', ['model']);
    const bytes = Buffer.from(good, 'hex');
    const s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString('hex')}`) + order;
    const malleable = Buffer.concat([
      bytes.subarray(0, 32),
      Buffer.from(s.toString(16).padStart(64, '0'), 'hex').reverse(),
    ]);
    const message = Buffer.from(sha256(lengthPrefixed(['parley/1 plan', 'model'])), 'hex');
    const key = Buffer.from(identity.publicKey, 'hex');
    expect(nacl.sign.detached.verify(message, malleable, key)).toBe(true);
    expect(verify(identity.publicKey, 'plan', ['model'], Signature.parse(malleable.toString('hex')))).toBe(
      false,
    );
  });

  // Orders 4, 1, 8, 8, 2, then 0 and 1 written unreduced; each with either sign of x.
  const lowOrderKeys = [
    '00'.repeat(32),
    `01${'00'.repeat(31)}`,
    '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    `ec${'ff'.repeat(30)}7f`,
    `ed${'ff'.repeat(30)}7f`,
    `ee${'ff'.repeat(30)}7f`,
  ].flatMap((key) => [key, withSignOfX(key)]);

  test.each(lowOrderKeys)('a signature that needs no secret does not hold under low-order key %s', (key) => {
    expect(PublicKey.safeParse(key).success).toBe(false);
    // R = identity and S = 0 solve the equation whenever the hash is a multiple of the key's order, here at most 8.
    const forged = Signature.parse(`01${'00'.repeat(63)}`);
    const messages = Array.from({ length: 200 }, (_, i) => [`message ${i}`]);
    expect(messages.filter((fields) => verify(key as PublicKey, 'plan', fields, forged))).toEqual([]);
  });
});

function withSignOfX(key: string): string {
  return key.slice(0, 62) + (Number.parseInt(key.slice(62), 16) | 0x80).toString(16);
}
