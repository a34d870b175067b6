import { describe, expect, test } from 'vitest';
import { type AuditRoles, flipRoles } from '../../client/audit-roles.ts';
import { seededRng } from '../../shared/random/rng.ts';
import { clopperPearson } from '../../shared/stats/interval.ts';
import { Seed } from '../../shared/units.ts';
import { aShard } from '../support/a-site.ts';

// Seeded, so every outcome repeats. Each proportion is held against an interval that covers the truth with probability
// 1 - 1e-6 or more (Clopper and Pearson), so each comparison's false-alarm probability over seeds is at most 1e-6.

const users = 60;
const shard = aShard(users);
const flips: readonly AuditRoles[] = Array.from({ length: 1000 }, (_, index) =>
  flipRoles(shard, { fraction: 0.5, referenceFraction: 0.2 }, seededRng(Seed.parse(index + 1))),
);

function expectShare(hits: readonly boolean[], expected: number): void {
  const { low, high } = clopperPearson(hits.filter(Boolean).length, hits.length, 1 - 1e-6);
  // So narrow that a share off by a tenth would show.
  expect(high - low).toBeLessThan(0.1);
  expect(expected).toBeGreaterThanOrEqual(low);
  expect(expected).toBeLessThanOrEqual(high);
}

/** Whether each user of a flip with a coin is a member, in the order of users. */
function coinsOf({ users: audited, roles }: AuditRoles): { user: number; member: boolean }[] {
  return [...audited].flatMap((user, index) =>
    roles[index] === 2 ? [] : [{ user, member: roles[index] === 0 }],
  );
}

describe('audit coins', () => {
  const coins = flips.flatMap(coinsOf);

  test('are fair', () => {
    expect(coins.length).toBeGreaterThan(20_000);
    expectShare(
      coins.map(({ member }) => member),
      0.5,
    );
  });

  test('are fair in every group of users: by label, by number of records, by place in the table', () => {
    const label = (user: number): number => shard.labels[shard.userOffsets[user]!]!;
    const records = (user: number): number => shard.userOffsets[user + 1]! - shard.userOffsets[user]!;
    const groups: readonly ((user: number) => boolean)[] = [
      (user) => label(user) === 0,
      (user) => label(user) === 1,
      ...[1, 2, 3].map((count) => (user: number) => records(user) === count),
      (user) => user < users / 2,
      (user) => user >= users / 2,
    ];
    for (const group of groups)
      expectShare(
        coins.filter(({ user }) => group(user)).map(({ member }) => member),
        0.5,
      );
  });

  test("say nothing of the next user's coin", () => {
    const equal = flips.flatMap((flip) => {
      const own = coinsOf(flip);
      return own.slice(1).map(({ member }, index) => member === own[index]!.member);
    });
    expectShare(equal, 0.5);
  });
});

/** For each flip and user whether she is an audit user. */
const audited: readonly (readonly boolean[])[] = flips.map((flip) => {
  const chosen = new Set(flip.users);
  return Array.from({ length: users }, (_, user) => chosen.has(user));
});

describe('who is an audit user', () => {
  test('is decided by the configured shares, for every user equally', () => {
    expectShare(audited.flat(), 0.5);
    expectShare(
      flips.flatMap(({ roles }) => [...roles].map((role) => role === 2)),
      0.2,
    );
    for (const wanted of [0, 29, 59]) {
      const found = flips.map((flip) => flip.roles[flip.users.indexOf(wanted)]);
      const chosen = found.filter((role) => role !== undefined);
      const { low, high } = clopperPearson(chosen.length, found.length, 1 - 1e-6);
      expect(low < 0.5 && 0.5 < high).toBe(true);
      const reference = clopperPearson(chosen.filter((role) => role === 2).length, chosen.length, 1 - 1e-6);
      expect(reference.low < 0.2 && 0.2 < reference.high).toBe(true);
    }
  });

  test('says nothing of the next user, nor of the role', () => {
    expectShare(
      audited.flatMap((flip) => flip.slice(1).map((here, user) => here === flip[user])),
      0.5,
    );
    const afterAudited = flips.flatMap(({ users: chosen, roles }, index) =>
      [...roles].flatMap((role, place) => (audited[index]![chosen[place]! - 1] ? [role === 2] : [])),
    );
    expectShare(afterAudited, 0.2);
  });

  test('numbers as many as so many independent coins do, not a fixed share of the users', () => {
    // Binomial with 60 coins: even half the time to within 2^-60, and within 3 of 30 with probability 0.634.
    const numbers = audited.map((flip) => flip.filter(Boolean).length);
    const even = clopperPearson(
      numbers.filter((number) => number % 2 === 0).length,
      numbers.length,
      1 - 1e-6,
    );
    expect(even.low < 0.5 && 0.5 < even.high).toBe(true);
    const near = clopperPearson(
      numbers.filter((number) => Math.abs(number - 30) <= 3).length,
      numbers.length,
      1 - 1e-6,
    );
    const expected = binomialWithin(users, 3);
    expect(near.low < expected && expected < near.high).toBe(true);
  });
});

/** Probability that heads of an even number of fair coins are within so many of half. */
function binomialWithin(coins: number, distance: number): number {
  const ways = [1];
  for (let toss = 0; toss < coins; toss++)
    for (let heads = ways.length; heads >= 1; heads--) ways[heads] = (ways[heads] ?? 0) + ways[heads - 1]!;
  return (
    ways.slice(coins / 2 - distance, coins / 2 + distance + 1).reduce((sum, way) => sum + way, 0) / 2 ** coins
  );
}
