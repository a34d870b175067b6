import { describe, expect, test } from 'vitest';
import { AuditOptions, auditRound } from '../../coordinator/audit/audit-round.ts';
import { negativeControl } from '../../coordinator/audit/controls.ts';
import type { Evidence } from '../../coordinator/audit/evidence.ts';
import { declaredGroups } from '../../coordinator/audit/groups.ts';
import { judge, LeakagePolicy } from '../../coordinator/audit/leakage-policy.ts';
import type { AuditPopulation, Role } from '../../coordinator/audit/population.ts';
import { subpopulationAttack } from '../../coordinator/audit/subpopulation-attack.ts';
import { standardNormals } from '../../shared/random/gaussian.ts';
import { type Rng, seededRng } from '../../shared/random/rng.ts';
import { shuffled } from '../../shared/random/sample.ts';
import { Seed } from '../../shared/units.ts';
import { evidenceOf, measured } from '../support/audit-evidence.ts';
import { uniformityPValue } from '../support/uniformity.ts';

const rng = seededRng(Seed.parse(21));
const options = AuditOptions.parse({});
const groups = 5;
const pause = (): Promise<void> => Promise.resolve();

describe('labels that mean nothing', () => {
  const leaky = evidenceOf(rng.fork('leaky'), { users: 600, leak: 1, columns: [groups] });
  const scores = measured('mean-log-ratio', leaky);

  // Kolmogorov-Smirnov at 1e-4 for each of 5 groups: false alarm 5e-4.
  test('give uniform p-values in every group, even over scores that leak', () => {
    const pValues = Array.from({ length: groups }, (): number[] => []);
    for (let round = 0; round < 400; round++) {
      const population = permutedRoles(leaky.population, rng.fork(`permutation ${round}`));
      pValues.forEach((values, code) => values.push(groupPValue(population, scores, code)));
    }
    for (const values of pValues) {
      expect(values).toHaveLength(400);
      expect(uniformityPValue(values)).toBeGreaterThan(1e-4);
    }
  });

  test('and the test of uniformity sees scores that leak', () => {
    const pValues = Array.from({ length: groups }, (_, code) => groupPValue(leaky.population, scores, code));
    expect(uniformityPValue(pValues)).toBeLessThan(1e-4);
  });
});

describe('a model that leaks nothing', () => {
  // 400 rounds. At a true rate of 0.05 (standard error 0.011) more than 0.105 happens with probability below 1e-5.
  test('is accused in at most 5 % of rounds, by any group, by the user-level interval and by the limits', async () => {
    const limits = LeakagePolicy.parse([
      { figure: 'user-auc', limit: 0.55, action: 'stop' },
      { figure: 'worst-group-auc', limit: 0.6, action: 'stop' },
      { figure: 'tpr-at-fpr-0.01', limit: 0.03, action: 'warn' },
    ]);
    let anyGroup = 0;
    let stopped = 0;
    let warned = 0;
    let user = 0;
    let worstInterval = 0;
    for (let round = 0; round < 400; round++) {
      const means = { rng: rng.fork(`audit ${round}`), pause };
      const { report } = await auditRound(honest(round), options, means);
      if (report.groups.some((group) => group.status === 'tested' && group.rejected)) anyGroup++;
      if (report.user.low > 0.5) user++;
      if ((report.worstGroup?.low ?? 0) > 0.5) worstInterval++;
      const { action } = judge(limits, report);
      if (action === 'stop') stopped++;
      if (action === 'warn') warned++;
    }
    expect(anyGroup / 400).toBeLessThan(0.105);
    expect(user / 400).toBeLessThan(0.105);
    expect(worstInterval / 400).toBeLessThan(0.105);
    // Limits above chance leave a margin: an AUC of 0.5 (standard error 0.03) is 0.55 at its lower bound once in 1e4.
    expect(stopped / 400).toBeLessThan(0.025);
    // The TPR's interval is exact at its threshold, which is itself chosen on the held-out users.
    expect(warned / 400).toBeLessThan(0.105);
  });

  // 100 controls on samples where the interval covers 95 %: false alarm 100 * 7e-6 = 7e-4.
  test('never fails its negative control', async () => {
    for (let round = 0; round < 100; round++) {
      const [members, heldOut] = [
        standardNormals(rng.fork(`m ${round}`), 60),
        standardNormals(rng.fork(`h ${round}`), 45),
      ];
      const control = await negativeControl(members, heldOut, { rng: rng.fork(`control ${round}`), pause });
      expect(control.passed).toBe(true);
    }
  });
});

describe('a model that leaks', () => {
  // User-level AUC 0.76, standard error 0.02; groups of 48 + 48 users at AUC 0.84, standard error 0.04.
  test('is found, by the user-level attack and in the group that leaks', async () => {
    const leaky = evidenceOf(rng.fork('all'), { users: 1200, leak: 0.7 });
    const { report: everyone } = await auditRound(leaky, options, { rng, pause });
    expect(everyone.user.low).toBeGreaterThan(0.55);
    expect(everyone.user.low).toBeGreaterThan(everyone.minimumDetectableAuc);
    const { report: one } = await auditRound(
      evidenceOf(rng.fork('one'), { users: 1200, groupLeak: 1, columns: [3, 10] }),
      options,
      { rng, pause },
    );
    expect(one.worstGroup).toMatchObject({ column: 'column 1', value: 'value 0' });
    expect(one.worstGroup?.pValue).toBeLessThan(0.001);
    expect(one.worstGroup?.low).toBeGreaterThan(0.5);
  });
});

function honest(round: number): Evidence {
  return evidenceOf(rng.fork(`honest ${round}`), { users: 400, columns: [groups] });
}

/** The unadjusted p-value of one group: it is the only one that is tested. */
function groupPValue(population: AuditPopulation, scores: Float64Array, code: number): number {
  const [column] = population.subpopulations;
  const alone = {
    column: 'group',
    vocabulary: [`${code}`],
    codes: column!.codes.map((own) => (own === code ? 0 : -1)),
  };
  const [result] = subpopulationAttack(
    declaredGroups({ ...population, subpopulations: [alone] }, false).groups,
    scores,
    options,
  );
  if (result?.status !== 'tested') throw new Error(`group ${code} was not tested`);
  return result.pValue;
}

/** Members and held-out users exchange their roles at random; reference users keep theirs. */
function permutedRoles(population: AuditPopulation, stream: Rng): AuditPopulation {
  const users = population.roles.flatMap((role, user) => (role === 'reference' ? [] : [user]));
  const roles: Role[] = [...population.roles];
  shuffled(stream, users.length).forEach((from, to) => {
    roles[users[to]!] = population.roles[users[from]!]!;
  });
  return { ...population, roles };
}
