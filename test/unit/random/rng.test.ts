import { createCipheriv, createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Rng, secureRng, seededRng, takeWords } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';

const seeded = (seed: number): Rng => seededRng(Seed.parse(seed));
const words = (rng: Rng, count: number): number[] => Array.from({ length: count }, () => rng.uint32());
const seeds = fc.integer({ min: 1, max: 2 ** 31 });

/** Words 0 .. count - 1 of the AES-256-CTR key stream of seed 7, read as little-endian. */
function keyStreamOfSeed7(count: number): number[] {
  const key = createHash('sha256').update('parley seed 7').digest();
  const stream = createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(4 * count));
  return Array.from({ length: count }, (_, index) => stream.readUInt32LE(4 * index));
}

describe('seededRng', () => {
  test('gives the AES-256-CTR key stream under SHA-256 of the seed, little-endian (values from the openssl command)', () => {
    const first = Buffer.from('418ce37f5e7988044163cf3318c86c9d6c0179db27a209861e943da46ecadf2b', 'hex');
    const expected = Array.from({ length: 8 }, (_, index) => first.readUInt32LE(4 * index));
    expect(words(seeded(7), 8)).toEqual(expected);
  });

  test('forks under SHA-256 of the key in hexadecimal and the label (values from the openssl command)', () => {
    const fork = seeded(7).fork('noise');
    expect(Buffer.from(fork.bytes(8)).toString('hex')).toBe('c00e999403c18bda');
  });

  test('skips and repeats nothing where one block of the key stream ends and the next begins', () => {
    const count = (2 ** 10 + 2 * 2 ** 16) / 4 + 5;
    expect(words(seeded(7), count)).toEqual(keyStreamOfSeed7(count));
  });

  test('takes many words at once: those that would have come one by one', () => {
    fc.assert(
      fc.property(seeds, fc.array(fc.nat(40_000), { maxLength: 5 }), (seed, lengths) => {
        const [one, other] = [seeded(seed), seeded(seed)];
        for (const length of lengths) {
          const taken = new Uint32Array(length);
          takeWords(one, taken);
          expect(taken).toEqual(Uint32Array.from(words(other, length)));
          expect(one.uint32()).toBe(other.uint32());
        }
      }),
      { numRuns: 20 },
    );
  });

  test('repeats: same seed, same numbers of every kind', () => {
    fc.assert(
      fc.property(seeds, fc.string(), (seed, label) => {
        const read = (rng: Rng): unknown => [
          rng.uint32(),
          rng.uniform(),
          [...rng.bytes(5)],
          rng.fork(label).uint32(),
        ];
        expect(read(seeded(seed))).toEqual(read(seeded(seed)));
      }),
    );
  });

  test('different seeds and different labels give different streams', () => {
    fc.assert(
      fc.property(seeds, fc.string(), fc.string(), (seed, a, b) => {
        fc.pre(a !== b);
        expect(words(seeded(seed).fork(a), 4)).not.toEqual(words(seeded(seed).fork(b), 4));
        expect(words(seeded(seed), 4)).not.toEqual(words(seeded(seed + 1), 4));
        expect(words(seeded(seed), 4)).not.toEqual(words(seeded(seed).fork(a), 4));
      }),
    );
  });

  test('a fork depends on neither what the parent gave before nor on other forks, and takes nothing from it', () => {
    fc.assert(
      fc.property(seeds, fc.nat(600), (seed, used) => {
        const parent = seeded(seed);
        words(parent, used);
        parent.fork('other').bytes(64);
        expect(words(parent.fork('label'), 4)).toEqual(words(seeded(seed).fork('label'), 4));
        expect(parent.uint32()).toBe(words(seeded(seed), used + 1).at(-1));
      }),
    );
  });

  test('forks nest: a label path is not its concatenation', () => {
    expect(words(seeded(1).fork('a').fork('b'), 4)).not.toEqual(words(seeded(1).fork('ab'), 4));
  });

  test('bytes are fresh: none of them is handed out again as a word', () => {
    const rng = seeded(7);
    rng.uint32();
    const taken = Buffer.from(rng.bytes(64)).readUInt32LE(0);
    expect(words(rng, 40_000)).not.toContain(taken);
    expect(rng.bytes(0)).toHaveLength(0);
  });
});

describe('uniform', () => {
  test('is made of 32 high and 21 low bits, two words at a time', () => {
    const [high = 0, low = 0, next] = words(seeded(3), 3);
    const rng = seeded(3);
    expect(rng.uniform()).toBe((high * 2 ** 21 + Math.floor(low / 2 ** 11)) / 2 ** 53);
    expect(rng.uint32()).toBe(next);
  });

  test('stays in [0, 1) on multiples of 2^-53', () => {
    const rng = secureRng();
    for (let i = 0; i < 10_000; i++) {
      const value = rng.uniform();
      expect(value >= 0 && value < 1 && Number.isInteger(value * 2 ** 53)).toBe(true);
    }
  });
});

describe('secureRng', () => {
  test('is keyed afresh each time, its forks under one label too', () => {
    const rng = secureRng();
    const streams = [rng, secureRng(), rng.fork('a'), rng.fork('a')].map((each) => words(each, 4).join());
    expect(new Set(streams).size).toBe(4);
  });

  test('says what it is, and forks keep the kind', () => {
    expect(
      [secureRng(), secureRng().fork('a'), seeded(1), seeded(1).fork('a')].map((rng) => rng.kind),
    ).toEqual(['secure', 'secure', 'seeded', 'seeded']);
  });
});
