import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type BandedMatrix, squareRootMatrix } from '../../../shared/privacy/banded-matrix.ts';
import { participationGroup, usersOfRound } from '../../../shared/privacy/participation-groups.ts';
import { smallMatrices } from './banded-samples.ts';

const key = Uint8Array.from({ length: 32 }, (_, index) => 7 * index);
const userIds = Array.from({ length: 40 }, (_, user) => `patient ${user}`);
const participants = (ids: readonly string[], matrix: BandedMatrix, round: number): string[] =>
  [...usersOfRound(ids, { key, matrix, round })].map((index) => ids[index]!);
const allRounds = ({ rounds }: BandedMatrix): number[] =>
  Array.from({ length: rounds + 3 }, (_, round) => round);

describe('usersOfRound', () => {
  test('lets nobody take part more often, or sooner again, than the matrix allows', () => {
    fc.assert(
      fc.property(smallMatrices, (matrix) => {
        for (const userId of userIds) {
          const rounds = allRounds(matrix).filter(
            (round) => participants([userId], matrix, round).length > 0,
          );
          expect(rounds.length).toBeLessThanOrEqual(matrix.maxParticipations);
          for (const [index, round] of rounds.entries()) {
            expect(round).toBeLessThan(matrix.rounds);
            if (index > 0) expect(round - rounds[index - 1]!).toBeGreaterThanOrEqual(matrix.minSeparation);
          }
        }
      }),
      { numRuns: 40 },
    );
  });

  test('gives everybody a turn in every cycle of rounds', () => {
    const matrix = squareRootMatrix({ rounds: 21, minSeparation: 7 });
    for (const first of [0, 7, 14]) {
      const cycle = [0, 1, 2, 3, 4, 5, 6].flatMap((step) => participants(userIds, matrix, first + step));
      expect(cycle.sort()).toEqual(userIds.toSorted());
    }
    const everyRound = squareRootMatrix({ rounds: 3, minSeparation: 1 });
    expect(participants(userIds, everyRound, 2)).toEqual(userIds);
  });

  test('of one user more or less moves nobody else', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.string(), { minLength: 1, maxLength: 20 }), fc.nat(), (ids, nth) => {
        const without = ids.toSpliced(nth % ids.length, 1);
        const matrix = squareRootMatrix({ rounds: 12, minSeparation: 4 });
        for (const round of allRounds(matrix)) {
          const expected = participants(ids, matrix, round).filter((id) => without.includes(id));
          expect(participants(without, matrix, round)).toEqual(expected);
        }
      }),
    );
  });

  test('of nobody is nobody', () => {
    expect(
      usersOfRound([], { key, matrix: squareRootMatrix({ rounds: 2, minSeparation: 1 }), round: 0 }),
    ).toEqual(new Int32Array(0));
  });
});

describe('participationGroup', () => {
  // Python's hmac: hmac.new(key, user, 'sha256'), first six bytes modulo the separation.
  test.each([
    ['patient 0', 1000, 569],
    ['patient 1', 1000, 938],
    ['Zoë', 7, 5],
  ])('of %j among %d', (userId, minSeparation, group) => {
    expect(participationGroup(key, userId, minSeparation)).toBe(group);
  });

  test('depends on the key and the identifier, and is even over users', () => {
    const groups = (of: Uint8Array): number[] =>
      userIds.map((userId) => participationGroup(of, userId, 1000));
    expect(groups(key)).not.toEqual(groups(key.with(0, 1)));
    const counts = new Int32Array(8);
    for (let user = 0; user < 8000; user++) counts[participationGroup(key, `user ${user}`, 8)]! += 1;
    // Seven degrees of freedom: 40 is exceeded with probability 1e-6, over keys.
    expect(counts.reduce((sum, count) => sum + (count - 1000) ** 2 / 1000, 0)).toBeLessThan(40);
  });
});
