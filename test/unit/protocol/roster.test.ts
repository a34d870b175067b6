import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodedRoster, encodedRoster, type Roster } from '../../../shared/protocol/roster.ts';
import { decodeTensors, encodeTensors } from '../../../shared/protocol/safetensors.ts';

const numClasses = 3;
const roster: Roster = {
  declaredUsers: 1200,
  users: { roles: Int32Array.of(0, 1, 2) },
  recordCounts: Int32Array.of(1, 3, 2),
  freshCounts: Int32Array.of(0, 2, 1),
  labels: Int32Array.of(0, 1, 2, 2, 0, 1),
  subpopulations: [
    { column: 'sex', vocabulary: ['F', 'M'], codes: Int32Array.of(0, 1, 1) },
    { column: 'ward', vocabulary: ['A'], codes: Int32Array.of(0, 0, 0) },
  ],
  canaries: Int32Array.of(1, 0, 1, 1),
  privacy: 'private',
};
const refused: unknown = expect.objectContaining({ code: 'WRONG_SHAPE' });

const anyRoster = fc
  .array(fc.tuple(fc.nat(2), fc.integer({ min: 1, max: 4 }), fc.nat(1)), { maxLength: 8 })
  .chain((users) => {
    const numRecords = users.reduce((sum, [, count]) => sum + count, 0);
    return fc
      .tuple(
        fc.array(fc.nat(numClasses - 1), { minLength: numRecords, maxLength: numRecords }),
        fc.string(),
        fc.array(fc.nat(1)),
      )
      .map(
        ([labels, column, canaries]): Roster => ({
          ...roster,
          users: { roles: Int32Array.from(users, ([role]) => role) },
          recordCounts: Int32Array.from(users, ([, count]) => count),
          freshCounts: Int32Array.from(users, ([, count, coin]) => (count - 1) * coin),
          labels: Int32Array.from(labels),
          canaries: Int32Array.from(canaries),
          subpopulations: [
            { column, vocabulary: ['x', 'y'], codes: Int32Array.from(users, ([, , code]) => code) },
          ],
        }),
      );
  });

describe('roster', () => {
  test('comes back as it was, also without any audit user', () => {
    fc.assert(
      fc.property(anyRoster, (given) => {
        expect(decodedRoster(encodedRoster(given, numClasses), numClasses)).toEqual(given);
      }),
    );
    expect(decodedRoster(encodedRoster(roster, numClasses), numClasses)).toEqual(roster);
  });

  const edited: [string, Partial<Roster>][] = [
    ['roles and record counts of different length', { recordCounts: Int32Array.of(1, 5) }],
    ['record counts that do not add up', { recordCounts: Int32Array.of(1, 3, 1) }],
    ['a user without records', { recordCounts: Int32Array.of(0, 4, 2) }],
    ['a negative count', { recordCounts: Int32Array.of(-1, 5, 2) }],
    ['a user without a record that may train', { freshCounts: Int32Array.of(1, 2, 1) }],
    ['a negative count of fresh records', { freshCounts: Int32Array.of(0, -1, 1) }],
    ['too few counts of fresh records', { freshCounts: Int32Array.of(0, 2) }],
    ['a label that is no class', { labels: Int32Array.of(0, 1, 2, 3, 0, 1) }],
    ['a negative label', { labels: Int32Array.of(0, 1, 2, -1, 0, 1) }],
    ['a role that does not exist', { users: { roles: Int32Array.of(0, 1, 3) } }],
    ['no declared users', { declaredUsers: 0 }],
    ['too many declared users', { declaredUsers: 5_000_001 }],
    ['half a declared user', { declaredUsers: 1.5 }],
    ['a code outside its vocabulary', { subpopulations: [column({ codes: Int32Array.of(0, 1, 2) })] }],
    ['too few codes', { subpopulations: [column({ codes: Int32Array.of(0, 1) })] }],
    ['a value twice', { subpopulations: [column({ vocabulary: ['F', 'F'] })] }],
    ['a column twice', { subpopulations: [column({}), column({})] }],
    [
      'a vocabulary that is too long',
      { subpopulations: [column({ vocabulary: Array.from({ length: 1001 }, (_, i) => `${i}`) })] },
    ],
  ];

  test.each(edited)('with %s is not even sent', (_name, change) => {
    expect(() => encodedRoster({ ...roster, ...change }, numClasses)).toThrow(refused);
  });

  test('a vocabulary of exactly 1000 values fits', () => {
    const subpopulations = [column({ vocabulary: Array.from({ length: 1000 }, (_, i) => `${i}`) })];
    expect(() => encodedRoster({ ...roster, subpopulations }, numClasses)).not.toThrow();
  });

  test('carries nothing beside what is asked for', () => {
    const { tensors, metadata } = decodeTensors(encodedRoster(roster, numClasses));
    expect([...tensors.keys()].sort()).toEqual([
      'canaries',
      'codes.0',
      'codes.1',
      'freshCounts',
      'labels',
      'recordCounts',
      'roles',
    ]);
    expect(JSON.parse(metadata['roster'] ?? '')).toEqual({
      declaredUsers: 1200,
      privacy: 'private',
      columns: [
        { column: 'sex', vocabulary: ['F', 'M'] },
        { column: 'ward', vocabulary: ['A'] },
      ],
    });
  });

  test('with a stray tensor, a missing one, or metadata that are none is refused', () => {
    const { tensors, metadata } = decodeTensors(encodedRoster(roster, numClasses));
    const all = [...tensors.values()];
    const stray = { name: 'userIds', dtype: 'I32', shape: [1], data: Int32Array.of(1) } as const;
    expect(() => decodedRoster(encodeTensors([...all, stray], metadata), numClasses)).toThrow(refused);
    expect(() => decodedRoster(encodeTensors(all.slice(1), metadata), numClasses)).toThrow(refused);
    for (const text of ['', '{', '{}', 'null', '{"__proto__":{}}'])
      expect(() => decodedRoster(encodeTensors(all, { roster: text }), numClasses)).toThrow(refused);
  });

  test('with a table in place of a column is refused', () => {
    const { tensors, metadata } = decodeTensors(encodedRoster(roster, numClasses));
    const all = [...tensors.values()].map((tensor) =>
      tensor.name === 'labels' ? { ...tensor, shape: [2, 3] } : tensor,
    );
    expect(() => decodedRoster(encodeTensors(all, metadata), numClasses)).toThrow(refused);
  });
});

function column(change: Partial<Roster['subpopulations'][number]>): Roster['subpopulations'][number] {
  return { column: 'sex', vocabulary: ['F', 'M'], codes: Int32Array.of(0, 1, 1), ...change };
}
