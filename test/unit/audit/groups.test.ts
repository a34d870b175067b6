import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { advantageAt } from '../../../coordinator/audit/group-figures.ts';
import { declaredGroups, type Group } from '../../../coordinator/audit/groups.ts';
import type { AuditPopulation, Role } from '../../../coordinator/audit/population.ts';
import { subpopulationAttack, worstGroup } from '../../../coordinator/audit/subpopulation-attack.ts';
import { standardNormals } from '../../../shared/random/gaussian.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { uniformBelow } from '../../../shared/random/sample.ts';
import { Seed } from '../../../shared/units.ts';
import { plainPopulation } from '../../support/audit-evidence.ts';

const options = {
  minGroupSize: 20,
  pairs: true,
  multipleTesting: 'holm',
  fprs: [0.05],
  level: 0.95,
} as const;

function population(
  roles: readonly Role[],
  columns: Record<string, { vocabulary: string[]; codes: number[] }>,
): AuditPopulation {
  const subpopulations = Object.entries(columns).map(([column, { vocabulary, codes }]) => ({
    column,
    vocabulary,
    codes: Int32Array.from(codes),
  }));
  return { ...plainPopulation(roles), subpopulations };
}

const anyPopulation = fc
  .array(
    fc.tuple(fc.constantFrom<Role>('member', 'held-out', 'reference'), fc.nat(2), fc.nat(3), fc.nat(1)),
    {
      maxLength: 40,
    },
  )
  .map((users) =>
    population(
      users.map(([role]) => role),
      {
        site: { vocabulary: ['a', 'b', 'c'], codes: users.map(([, code]) => code) },
        ward: { vocabulary: ['w', 'x', 'y', 'z'], codes: users.map(([, , code]) => code) },
        neighbourhood: { vocabulary: ['1', '2'], codes: users.map(([, , , code]) => code) },
      },
    ),
  );

describe('declaredGroups', () => {
  test('every pair that occurs is a group, made of exactly the users of both its parts', () => {
    fc.assert(
      fc.property(anyPopulation, (given) => {
        const { groups, pairsLeftOut } = declaredGroups(given, true);
        expect(pairsLeftOut).toEqual([]);
        const [site, ward] = given.subpopulations;
        const pairs = groups.filter(({ parent }) => parent);
        const expected = new Map<string, number[]>();
        given.roles.forEach((role, user) => {
          if (role === 'reference') return;
          const name = `${site!.vocabulary[site!.codes[user]!]} & ${ward!.vocabulary[ward!.codes[user]!]}`;
          expected.set(name, [...(expected.get(name) ?? []), user]);
        });
        const users = ({ members, heldOut }: Group): number[] =>
          [...members, ...heldOut].sort((a, b) => a - b);
        expect(new Map(pairs.map((group) => [group.value, users(group)]))).toEqual(expected);
        expect(pairs.filter(({ column }) => column !== 'site & ward')).toEqual([]);
        for (const { parent, value } of pairs) expect(value.startsWith(`${parent?.value} & `)).toBe(true);
      }),
    );
  });

  test('every value that a member or a held-out user has is a group, and no other', () => {
    fc.assert(
      fc.property(anyPopulation, (given) => {
        const expected = given.subpopulations.flatMap(({ column, vocabulary, codes }) =>
          vocabulary.flatMap((value, code) =>
            given.roles.some((role, user) => role !== 'reference' && codes[user] === code)
              ? [`${column}=${value}`]
              : [],
          ),
        );
        const { groups } = declaredGroups(given, false);
        expect(groups.map(({ column, value }) => `${column}=${value}`)).toEqual(expected);
      }),
    );
  });

  test('does without pairs when they are not asked for', () => {
    fc.assert(
      fc.property(anyPopulation, (given) => {
        expect(declaredGroups(given, false).groups).toEqual(
          declaredGroups(given, true).groups.filter(({ parent }) => parent === undefined),
        );
      }),
    );
  });

  test('names the pairs that are beyond 200 combinations', () => {
    const rng = seededRng(Seed.parse(3));
    const column = (size: number): { vocabulary: string[]; codes: number[] } => ({
      vocabulary: Array.from({ length: size }, (_, code) => `v${code}`),
      codes: Array.from({ length: 5000 }, () => uniformBelow(rng, size)),
    });
    const roles = Array.from({ length: 5000 }, (_, user): Role => (user % 2 ? 'member' : 'held-out'));
    const { groups, pairsLeftOut } = declaredGroups(
      population(roles, { a: column(10), b: column(12), c: column(30), d: column(5) }),
      true,
    );
    expect(pairsLeftOut).toEqual(['a & c', 'b & c', 'b & d', 'c & d']);
    expect(groups.filter(({ parent }) => parent)).toHaveLength(120 + 50);
  });
});

describe('groups that are too small', () => {
  const roles = Array.from({ length: 200 }, (_, user): Role => (user % 2 ? 'member' : 'held-out'));
  const given = population(roles, {
    sex: { vocabulary: ['f', 'm'], codes: roles.map((_, user) => (user < 180 ? 0 : 1)) },
    ward: { vocabulary: ['a', 'b'], codes: roles.map((_, user) => (user < 160 || user >= 190 ? 0 : 1)) },
  });
  const results = subpopulationAttack(
    declaredGroups(given, true).groups,
    standardNormals(seededRng(Seed.parse(5)), 200),
    options,
  );

  test('name the group whose test stands for them, and none is missing', () => {
    const named = results.map((result) => [
      `${result.column}=${result.value}`,
      result.status === 'tested' ? 'tested' : result.fallback,
    ]);
    expect(named).toEqual([
      ['sex=f', 'tested'],
      ['sex=m', 'all users'],
      ['ward=a', 'tested'],
      ['ward=b', 'all users'],
      ['sex & ward=f & a', 'tested'],
      ['sex & ward=f & b', { column: 'sex', value: 'f' }],
      ['sex & ward=m & a', 'all users'],
      ['sex & ward=m & b', 'all users'],
    ]);
  });
});

describe('a leak that hides in a pair', () => {
  test('is found under its name, while every single column looks milder', () => {
    const rng = seededRng(Seed.parse(8));
    const codes = (size: number): number[] => Array.from({ length: 2000 }, () => uniformBelow(rng, size));
    const roles = Array.from({ length: 2000 }, (): Role => (uniformBelow(rng, 2) ? 'member' : 'held-out'));
    const [sex, ward] = [codes(2), codes(4)];
    const scores = standardNormals(rng, 2000).map((score, user) =>
      roles[user] === 'member' && sex[user] === 1 && ward[user] === 2 ? score + 1.2 : score,
    );
    const given = population(roles, {
      sex: { vocabulary: ['f', 'm'], codes: sex },
      ward: { vocabulary: ['a', 'b', 'c', 'd'], codes: ward },
    });
    const results = subpopulationAttack(declaredGroups(given, true).groups, scores, options);
    expect(worstGroup(results)).toMatchObject({ column: 'sex & ward', value: 'm & c' });
    const found = results.find(({ value }) => value === 'm & c');
    expect(found).toMatchObject({ rejected: true });
    expect(found?.status === 'tested' && found.conformal!.median).toBeLessThan(0.3);
    expect(found?.status === 'tested' && found.advantage!.low).toBeGreaterThan(0);
    const others = results.filter(({ column, value }) => column === 'sex & ward' && value !== 'm & c');
    expect(others.filter((result) => result.status === 'tested' && result.rejected)).toEqual([]);
  });
});

describe('advantageAt', () => {
  const scores = fc
    .array(fc.double({ min: -5, max: 5, noNaN: true }), { minLength: 18, maxLength: 60 })
    .map((values) => Float64Array.from(values));

  test('fixes its threshold without the members and without the users who measure the FPR', () => {
    fc.assert(
      fc.property(scores, scores, (members, heldOut) => {
        const found = advantageAt(members, heldOut)!;
        const moved = heldOut.map((score, index) => (index % 2 === 1 ? score + 20 : score));
        expect(advantageAt(members, moved)!.tpr).toBe(found.tpr);
        expect(advantageAt(members, moved)!.fpr).toBe(1);
        expect(found.low).toBeLessThanOrEqual(found.advantage);
        expect(found.high).toBeGreaterThanOrEqual(found.advantage);
        expect(
          advantageAt(
            members.map((s) => s + 20),
            heldOut,
          )!.tpr,
        ).toBe(1);
      }),
    );
  });

  test('accuses at most a tenth of users like those who fixed the threshold', () => {
    // Of n + 1 exchangeable users, the one left out is above the threshold of the others at most floor((n + 1) / 10) times.
    fc.assert(
      fc.property(scores, (pool) => {
        const accused = pool.filter((score, left) => {
          const others = pool.filter((_, user) => user !== left);
          const interleaved = Float64Array.from([...others].flatMap((value) => [value, 0]));
          return advantageAt(Float64Array.of(score), interleaved)!.tpr === 1;
        });
        expect(accused.length / pool.length).toBeLessThanOrEqual(0.1 + 1e-12);
      }),
    );
  });

  test('is left out where half of the held-out users allow no threshold', () => {
    expect(advantageAt(Float64Array.of(1), new Float64Array(16))).toBeUndefined();
    expect(advantageAt(Float64Array.of(1), new Float64Array(17))).toMatchObject({ tpr: 1 });
  });
});
