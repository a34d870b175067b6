import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  concatenateShards,
  hashedSite,
  selectUsers,
  splitBySiteKey,
  spreadSite,
} from '../../../shared/data/partition.ts';
import { numUsers, type Shard } from '../../../shared/data/shard.ts';

/** A shard whose every record names its user and its place: features (user, record). */
function shardOf(sizes: readonly number[], name = 'u'): Shard {
  const records = sizes.flatMap((size, user) =>
    Array.from({ length: size }, (_, index) => [user, index] as const),
  );
  let sum = 0;
  return {
    numFeatures: 2,
    numClasses: 2,
    features: Float32Array.from(records.flat()),
    labels: Int32Array.from(records, ([user, index]) => (user + index) % 2),
    userOffsets: Int32Array.from([0, ...sizes.map((size) => (sum += size))]),
    userIds: sizes.map((_, user) => `${name}${user}`),
    subpopulations: [
      { column: 'g', vocabulary: ['a', 'b'], codes: Int32Array.from(sizes, (size) => size % 2) },
    ],
  };
}

const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 12 });

/** What each user of a shard holds, by user id. */
function byUser(shard: Shard): Map<string, unknown> {
  return new Map(
    shard.userIds.map((id, user) => {
      const [start, end] = [shard.userOffsets[user]!, shard.userOffsets[user + 1]!];
      const features = [...shard.features.subarray(start * shard.numFeatures, end * shard.numFeatures)];
      const codes = shard.subpopulations.map((column) => column.codes[user]);
      return [id, { features, labels: [...shard.labels.subarray(start, end)], codes }];
    }),
  );
}

describe('partitioning by user', () => {
  test('every user is at exactly one site, with all records', () => {
    fc.assert(
      fc.property(sizes, fc.integer({ min: 1, max: 5 }), (of, numSites) => {
        const shard = shardOf(of);
        const sites = splitBySiteKey(shard, (user) => String(hashedSite(shard.userIds[user]!, numSites)));
        const parts = [...sites.values()].map(byUser);
        expect(parts.reduce((sum, part) => sum + part.size, 0)).toBe(numUsers(shard));
        expect(new Map(parts.flatMap((part) => [...part]))).toEqual(
          new Map([...byUser(shard)].sort(([a], [b]) => order(parts, a) - order(parts, b))),
        );
      }),
    );
  });

  test('selecting all users changes nothing, selecting none gives an empty shard', () => {
    const shard = shardOf([2, 1, 3]);
    expect(selectUsers(shard, Int32Array.of(0, 1, 2))).toEqual(shard);
    const none = selectUsers(shard, new Int32Array(0));
    expect([numUsers(none), none.labels.length, none.userIds.length]).toEqual([0, 0, 0]);
  });

  test('selects in the order given', () => {
    const chosen = selectUsers(shardOf([2, 1, 3]), Int32Array.of(2, 0));
    expect(chosen.userIds).toEqual(['u2', 'u0']);
    expect([...chosen.features]).toEqual([2, 0, 2, 1, 2, 2, 0, 0, 0, 1]);
    expect([...chosen.subpopulations[0]!.codes]).toEqual([1, 0]);
  });

  test('concatenating what was split holds the same users', () => {
    fc.assert(
      fc.property(sizes, (of) => {
        const shard = shardOf(of);
        const [first, ...rest] = [...splitBySiteKey(shard, (user) => String(user % 3)).values()];
        const joined = concatenateShards([first!, ...rest]);
        expect([...byUser(joined)].sort()).toEqual([...byUser(shard)].sort());
      }),
    );
  });

  test('the same id at two sites stays two users', () => {
    const joined = concatenateShards([shardOf([1, 2]), shardOf([3])]);
    expect(joined.userIds).toEqual(['u0', 'u1', 'u0']);
    expect([...joined.userOffsets]).toEqual([0, 1, 3, 6]);
  });

  test('shards of different schemas are not joined', () => {
    const other = { ...shardOf([1]), numClasses: 3 };
    expect(() => concatenateShards([shardOf([1]), other])).toThrow(
      expect.objectContaining({ code: 'WRONG_SHAPE' }),
    );
  });

  test('a hashed site is fixed for ever: SHA-256 of the tagged id, first 48 bits, modulo the sites', () => {
    // sha256sum of "parley site\n8222157": computed outside this program.
    expect(hashedSite('8222157', 1_000_000)).toBe(63080);
    // And of "parley record site\n1", for the first row.
    expect(spreadSite(0, 1_000_000)).toBe(524702);
    const counts = [0, 0, 0, 0];
    for (let user = 0; user < 4000; user++) counts[hashedSite(String(user), 4)]! += 1;
    expect(Math.min(...counts)).toBeGreaterThan(900);
  });
});

function order(parts: readonly Map<string, unknown>[], id: string): number {
  return parts.flatMap((part) => [...part.keys()]).indexOf(id);
}
