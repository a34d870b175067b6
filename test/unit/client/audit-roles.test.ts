import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  AuditUsers,
  flipRoles,
  freshCounts,
  packRoles,
  rosterOf,
  trainingShard,
  unpackRoles,
} from '../../../client/audit-roles.ts';
import { trainableUsers } from '../../../client/site.ts';
import type { Shard } from '../../../shared/data/shard.ts';
import { decodedRoster, encodedRoster } from '../../../shared/protocol/roster.ts';
import { type Rng, secureRng, seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';
import { aShard } from '../../support/a-site.ts';

const seeds = fc.integer({ min: 1, max: 2 ** 31 }).map((seed) => seededRng(Seed.parse(seed)));
const shares = fc.record({
  fraction: fc.double({ min: 0, max: 1, noNaN: true }),
  referenceFraction: fc.double({ min: 0, max: 0.99, noNaN: true }),
});
const ids = (users: number): readonly string[] => aShard(users).userIds;

/** Role of each of these users, undefined for those who are no audit users. */
function rolesById(
  userIds: readonly string[],
  options: Pick<AuditUsers, 'fraction' | 'referenceFraction'>,
  rng: Rng,
): Map<string, number | undefined> {
  const { users, roles } = flipRoles({ ...aShard(userIds.length), userIds }, options, rng);
  return new Map(userIds.map((id, user) => [id, roles[users.indexOf(user)]]));
}

describe('the audit coins of a site', () => {
  test('name audit users each once and in order: nobody at fraction 0, everybody at fraction 1', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 0, max: 60 }), shares, (rng, users, options) => {
        const shard = aShard(users);
        const audit = flipRoles(shard, options, rng);
        expect([...new Set(audit.users)].sort((a, b) => a - b)).toEqual([...audit.users]);
        expect(audit.users.every((user) => user >= 0 && user < users)).toBe(true);
        expect(audit.roles).toHaveLength(audit.users.length);
        expect(audit.roles.every((role) => [0, 1, 2].includes(role))).toBe(true);
        expect(flipRoles(shard, { ...options, fraction: 0 }, rng).users).toHaveLength(0);
        const everybody = flipRoles(shard, { fraction: 1, referenceFraction: 0 }, rng);
        expect([...everybody.users]).toEqual(Array.from({ length: users }, (_, user) => user));
        expect(everybody.roles).not.toContain(2);
      }),
    );
  });

  test('are no other when users join, leave or stand in another order', () => {
    fc.assert(
      fc.property(seeds, fc.shuffledSubarray([...ids(40)]), shares, (rng, some, options) => {
        const whole = rolesById(ids(40), options, rng);
        const expected = new Map(some.map((id) => [id, whole.get(id)]));
        expect(rolesById(some, options, rng)).toEqual(expected);
      }),
    );
  });

  test('of a smaller fraction are among those of a larger one, in the same roles', () => {
    fc.assert(
      fc.property(seeds, shares, fc.double({ min: 0, max: 1, noNaN: true }), (rng, options, part) => {
        const larger = rolesById(ids(40), options, rng);
        const smaller = rolesById(ids(40), { ...options, fraction: part * options.fraction }, rng);
        for (const [id, role] of smaller) expect([undefined, larger.get(id)]).toContain(role);
      }),
    );
  });

  test('repeat with the seed, and not with a secure stream', () => {
    const flip = (rng: Rng): Int32Array => packRoles(flipRoles(aShard(200), AuditUsers.parse({}), rng));
    const seeded = (): Rng => seededRng(Seed.parse(3));
    expect(flip(seeded())).toEqual(flip(seeded()));
    expect(flip(seeded())).not.toEqual(flip(seededRng(Seed.parse(4))));
    // Equal with probability 0.655^200 < 1e-36: each user is no audit user in both, or has the same role.
    expect(flip(secureRng())).not.toEqual(flip(secureRng()));
  });

  test('do not depend on what the records say', () => {
    fc.assert(
      fc.property(seeds, seeds, fc.integer({ min: 1, max: 40 }), (rng, noise, users) => {
        const shard = aShard(users);
        const other = {
          ...shard,
          features: shard.features.map(() => noise.uniform()),
          labels: shard.labels.map((label) => 1 - label),
          subpopulations: [],
        };
        const options = { fraction: 0.7, referenceFraction: 0.3 };
        expect(flipRoles(other, options, rng)).toEqual(flipRoles(shard, options, rng));
      }),
    );
  });

  test('survive packing', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 60 }), shares, (rng, users, options) => {
        const audit = flipRoles(aShard(users), options, rng);
        expect(unpackRoles(packRoles(audit))).toEqual(audit);
      }),
    );
    expect(unpackRoles(new Int32Array(0))).toEqual({ users: new Int32Array(0), roles: new Int32Array(0) });
  });

  test('everybody trains but held-out and reference users', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 1, max: 60 }), shares, (rng, users, options) => {
        const shard = aShard(users);
        const audit = flipRoles(shard, options, rng);
        const apart = [...audit.users].filter((_, index) => audit.roles[index] !== 0);
        const expected = Array.from({ length: users }, (_, user) => user).filter(
          (user) => !apart.includes(user),
        );
        expect([...trainableUsers(shard, audit)]).toEqual(expected);
      }),
    );
  });
});

describe('the roster of audit users', () => {
  const shard = aShard(9);
  const audit = { users: Int32Array.of(1, 4, 8), roles: Int32Array.of(0, 2, 1) };
  const roster = rosterOf(shard, audit, { declaredUsers: 6, privacy: 'private' });

  test('has roles, labels, record counts and groups of these users and of no others', () => {
    // Users 1, 4 and 8 of nine with one, two and three records in turn: records 1-2, 7-8 and 15-17.
    expect(roster).toEqual({
      declaredUsers: 6,
      privacy: 'private',
      users: { roles: Int32Array.of(0, 2, 1) },
      recordCounts: Int32Array.of(2, 2, 3),
      freshCounts: Int32Array.of(0, 0, 0),
      labels: Int32Array.of(1, 0, 1, 0, 1, 0, 1),
      subpopulations: [{ column: 'ward', vocabulary: ['a', 'b'], codes: Int32Array.of(1, 0, 0) }],
      canaries: new Int32Array(0),
    });
  });

  test('never holds an identifier or a feature', () => {
    const bytes = encodedRoster(roster, 2);
    expect(decodedRoster(bytes, 2)).toEqual(roster);
    const text = Buffer.from(bytes).toString('latin1');
    for (const id of shard.userIds) expect(text).not.toContain(id);
    const whole = Buffer.from(bytes);
    for (const value of shard.features) {
      const feature = Buffer.from(Float32Array.of(value).buffer);
      expect(whole.includes(feature)).toBe(false);
    }
  });
});

describe('fresh records', () => {
  const shard = aShard(9);
  const audit = { users: Int32Array.of(1, 4, 8), roles: Int32Array.of(0, 2, 1) };

  test('are the last ones of audit users, rounded down, and one record stays', () => {
    // Two, two and three records.
    expect([...freshCounts(shard, audit, 0.5)]).toEqual([1, 1, 1]);
    expect([...freshCounts(shard, audit, 0.99)]).toEqual([1, 1, 2]);
    expect([...freshCounts(shard, audit, 0.4)]).toEqual([0, 0, 1]);
  });

  test('are not in the training shard, where everybody else keeps place and records', () => {
    const training = trainingShard(shard, audit, 0.99);
    const fresh = new Map([
      [1, 1],
      [4, 1],
      [8, 2],
    ]);
    for (let user = 0; user < 9; user++) {
      const records = (from: Shard, until: number): number[] => [
        ...from.features.subarray(from.userOffsets[user]! * from.numFeatures, until * from.numFeatures),
      ];
      const kept = shard.userOffsets[user + 1]! - (fresh.get(user) ?? 0);
      expect(records(training, training.userOffsets[user + 1]!)).toEqual(records(shard, kept));
    }
    expect(training.userIds).toBe(shard.userIds);
    expect(training.labels).toHaveLength(shard.labels.length - 4);
    expect(trainingShard(shard, audit, 0)).toBe(shard);
  });
});
