import { describe, expect, test } from 'vitest';
import { declaredGroups } from '../../../coordinator/audit/groups.ts';
import type { AuditPopulation, Role } from '../../../coordinator/audit/population.ts';
import { vulnerableUsers } from '../../../coordinator/audit/vulnerable.ts';
import { standardNormals } from '../../../shared/random/gaussian.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { fairCoin, uniformBelow } from '../../../shared/random/sample.ts';
import { Seed } from '../../../shared/units.ts';
import { plainPopulation } from '../../support/audit-evidence.ts';

const rng = seededRng(Seed.parse(12));
const users = 1000;
const roles = Array.from({ length: users }, (_, user): Role => {
  if (user % 10 === 9) return 'reference';
  return fairCoin(rng) ? 'member' : 'held-out';
});
const ward = Int32Array.from({ length: users }, () => uniformBelow(rng, 2));
const population: AuditPopulation = {
  ...plainPopulation(roles),
  subpopulations: [{ column: 'ward', vocabulary: ['a', 'b'], codes: ward }],
  names: roles.map((_, user) => `north#${user}`),
};
const { groups } = declaredGroups(population, true);
const options = { groups, minGroupSize: 20 };
const noise = standardNormals(rng, users);
const isFragile = (user: number): boolean => roles[user] === 'member' && user % 3 === 0;
const leaky = noise.map((score, user) => (isFragile(user) ? score + 8 : score));
const found = vulnerableUsers(population, leaky, options);

describe('the most vulnerable users', () => {
  test('are the members that leak, by site and position', () => {
    const fragile = roles.flatMap((_, user) => (isFragile(user) ? [user] : []));
    expect(found.flaggedMembers).toBeGreaterThanOrEqual(fragile.length);
    expect(found.flagged - found.flaggedMembers).toBeLessThanOrEqual(0.15 * found.flagged);
    expect(found.users).toHaveLength(10);
    for (const { user, role, flagged, groups: own } of found.users) {
      expect(fragile).toContain(Number(user.replace('north#', '')));
      expect([role, flagged]).toEqual(['member', true]);
      expect(own).toEqual([`ward=${ward[Number(user.replace('north#', ''))] === 0 ? 'a' : 'b'}`]);
    }
    expect(found.topPercentile.members).toBe(found.topPercentile.users);
  });

  test('are compared within the smallest testable group, each held-out user with the others', () => {
    const sizeOf = (code: number): number =>
      roles.filter((role, user) => role === 'held-out' && ward[user] === code).length;
    const [first] = found.users;
    const code = first!.groups[0] === 'ward=a' ? 0 : 1;
    expect(first!.comparedWith).toEqual({ column: 'ward', value: code === 0 ? 'a' : 'b' });
    expect(first!.pValue).toBeCloseTo(1 / (sizeOf(code) + 1), 12);
    // A held-out user at the very top has nobody above her among the others: 1 / n, not 2 / (n + 1).
    const top = roles.findIndex((role, user) => role === 'held-out' && ward[user] === code);
    const raised = noise.map((score, user) => (user === top ? 100 : score));
    const [herself] = vulnerableUsers(population, raised, options).users;
    expect(herself).toMatchObject({ user: `north#${top}`, role: 'held-out' });
    expect(herself!.pValue).toBeCloseTo(1 / sizeOf(code), 12);
  });

  test('fall back to all users where no group is large enough', () => {
    const all = vulnerableUsers(population, leaky, { groups, minGroupSize: 10_000 });
    expect(new Set(all.users.map(({ comparedWith }) => comparedWith))).toEqual(new Set(['all users']));
  });

  test('are nobody where nothing leaks', () => {
    const honest = vulnerableUsers(population, noise, options);
    expect(honest.tested).toBe(900);
    expect(honest.flagged).toBe(0);
    expect(honest.users).toHaveLength(10);
  });
});
