import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { conformalPValues } from '../../../coordinator/audit/conformal.ts';
import { declaredGroups } from '../../../coordinator/audit/groups.ts';
import type { AuditPopulation } from '../../../coordinator/audit/population.ts';
import {
  type SubpopulationOptions,
  subpopulationAttack,
  worstGroup,
} from '../../../coordinator/audit/subpopulation-attack.ts';
import type { GroupResult } from '../../../shared/protocol/audit-report.ts';
import { standardNormals } from '../../../shared/random/gaussian.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { aucInterval } from '../../../shared/stats/interval.ts';
import { holm, mannWhitneyPValue } from '../../../shared/stats/tests.ts';
import { Seed } from '../../../shared/units.ts';
import { plainPopulation } from '../../support/audit-evidence.ts';

const options: SubpopulationOptions = {
  minGroupSize: 20,
  multipleTesting: 'holm',
  fprs: [0.05],
  level: 0.95,
};

/** 25 + 25 users of `A`, 30 + 30 of `B`, 19 + 40 of `C`, none of `D`; members of `B` score higher by `shift`. */
function grouped(shift: number): { population: AuditPopulation; scores: Float64Array } {
  const sizes = [
    [0, 25, 25],
    [1, 30, 30],
    [2, 19, 40],
  ] as const;
  const users = sizes.flatMap(([code, members, heldOut]) => [
    ...Array.from({ length: members }, () => ({ code, role: 'member' as const })),
    ...Array.from({ length: heldOut }, () => ({ code, role: 'held-out' as const })),
  ]);
  const noise = standardNormals(seededRng(Seed.parse(7)), users.length);
  const scores = noise.map((value, user) => {
    const { code, role } = users[user]!;
    return value + 5 * code + (role === 'member' && code === 1 ? shift : 0);
  });
  const codes = Int32Array.from(users, ({ code }) => code);
  const population = plainPopulation(users.map(({ role }) => role));
  return {
    population: {
      ...population,
      subpopulations: [{ column: 'race', vocabulary: ['A', 'B', 'C', 'D'], codes }],
    },
    scores,
  };
}

describe('subpopulationAttack', () => {
  const { population, scores } = grouped(2);
  const results = subpopulationAttack(declaredGroups(population, false).groups, scores, options);

  test('returns every value that somebody has, small groups with the reason', () => {
    expect(results.map(({ value, status }) => `${value} ${status}`)).toEqual([
      'A tested',
      'B tested',
      'C not-testable',
    ]);
    expect(results[2]).toEqual({
      status: 'not-testable',
      column: 'race',
      value: 'C',
      members: 19,
      heldOut: 40,
      reason: '19 members and 40 held-out users; a test needs 20 of each',
      fallback: 'all users',
    });
  });

  test('finds the group that leaks and leaves the other alone', () => {
    expect(results[0]).toMatchObject({ rejected: false });
    expect(results[1]).toMatchObject({ rejected: true });
    expect(worstGroup(results)).toMatchObject({ column: 'race', value: 'B' });
  });

  test('compares within the group: moving a whole group changes nothing', () => {
    const moved = scores.map((score, user) => score + 100 * (population.subpopulations[0]?.codes[user] ?? 0));
    expect(subpopulationAttack(declaredGroups(population, false).groups, moved, options)).toEqual(results);
  });

  test('adjusts p-values over the testable groups and shares the error between their intervals', () => {
    const sample = (from: number, length: number): Float64Array => scores.subarray(from, from + length);
    const [a, b] = [
      [sample(0, 25), sample(25, 25)],
      [sample(50, 30), sample(80, 30)],
    ] as const;
    const expected = holm(Float64Array.of(mannWhitneyPValue(...a), mannWhitneyPValue(...b)));
    expect(results[0]).toMatchObject({ pValue: expected[0], ...aucInterval(a[0], a[1], 0.975) });
    expect(results[1]).toMatchObject({ pValue: expected[1], ...aucInterval(b[0], b[1], 0.975) });
  });

  test('Benjamini-Hochberg is at most as strict', () => {
    const lenient = subpopulationAttack(declaredGroups(population, false).groups, scores, {
      ...options,
      multipleTesting: 'benjamini-hochberg',
    });
    const pValue = (result: GroupResult | undefined): number =>
      result?.status === 'tested' ? result.pValue : Number.NaN;
    expect(pValue(lenient[0])).toBeLessThanOrEqual(pValue(results[0]));
    expect(pValue(lenient[1])).toBeLessThanOrEqual(pValue(results[1]));
  });

  test('reports TPR at every declared FPR', () => {
    expect(results[1]).toMatchObject({ tprAtFpr: [{ status: 'measured', fpr: 0.05 }] });
    const rare = subpopulationAttack(declaredGroups(population, false).groups, scores, {
      ...options,
      fprs: [0.01],
    });
    expect(rare[1]).toMatchObject({ tprAtFpr: [{ status: 'not-testable', nonMembersNeeded: 100 }] });
  });

  test('no columns, no groups, no worst group', () => {
    expect(
      subpopulationAttack(
        declaredGroups(plainPopulation(['member', 'held-out']), false).groups,
        Float64Array.of(1, 2),
        options,
      ),
    ).toEqual([]);
    expect(worstGroup([])).toBeNull();
    expect(worstGroup(results.filter(({ status }) => status === 'not-testable'))).toBeNull();
  });
});

test('worstGroup takes the smaller p-value, then the larger AUC', () => {
  const group = (value: string, pValue: number, auc: number): GroupResult => ({
    status: 'tested',
    column: 'c',
    value,
    members: 20,
    heldOut: 20,
    auc,
    low: 0,
    high: 1,
    pValue,
    rejected: false,
    tprAtFpr: [],
  });
  expect(worstGroup([group('a', 1, 0.4), group('b', 0.2, 0.6), group('c', 0.3, 0.9)])?.value).toBe('b');
  expect(worstGroup([group('a', 1, 0.4), group('b', 1, 0.5), group('c', 1, 0.45)])?.value).toBe('b');
});

describe('conformalPValues', () => {
  const values = fc
    .array(fc.integer({ min: 0, max: 9 }), { minLength: 1, maxLength: 25 })
    .map((v) => Float64Array.from(v));

  test('is (1 + scores at or above) / (n + 1)', () => {
    fc.assert(
      fc.property(values, values, (scores, reference) => {
        const expected = Array.from(
          scores,
          (s) => (1 + reference.filter((r) => r >= s).length) / (reference.length + 1),
        );
        expect([...conformalPValues(scores, reference)]).toEqual(expected);
      }),
    );
  });

  test('is super-uniform for exchangeable users, ties included: of n + 1 users at most a share a has p <= a', () => {
    fc.assert(
      fc.property(values, fc.double({ min: 0.01, max: 1, noNaN: true }), (pool, level) => {
        fc.pre(pool.length > 1);
        const pValues = Array.from(pool, (score, left) => {
          return conformalPValues(
            Float64Array.of(score),
            pool.filter((_, user) => user !== left),
          )[0]!;
        });
        expect(pValues.filter((p) => p <= level).length / pool.length).toBeLessThanOrEqual(level + 1e-12);
      }),
    );
  });

  test('without reference nobody can be told apart', () => {
    expect([...conformalPValues(Float64Array.of(5, 6), new Float64Array(0))]).toEqual([1, 1]);
  });
});
