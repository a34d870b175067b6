import { describe, expect, test } from 'vitest';
import { conformalPValues } from '../../coordinator/audit/conformal.ts';
import { advantageAt } from '../../coordinator/audit/group-figures.ts';
import { declaredGroups } from '../../coordinator/audit/groups.ts';
import { withNeighbourhoods } from '../../coordinator/audit/neighbourhoods.ts';
import { neighbourDifference } from '../../coordinator/audit/neighbours.ts';
import { type AuditPopulation, type Role, scoresByRole } from '../../coordinator/audit/population.ts';
import { subpopulationAttack } from '../../coordinator/audit/subpopulation-attack.ts';
import { populationOfUsers } from '../../coordinator/audit/subset.ts';
import { vulnerableUsers } from '../../coordinator/audit/vulnerable.ts';
import { standardNormals } from '../../shared/random/gaussian.ts';
import { type Rng, seededRng } from '../../shared/random/rng.ts';
import { fairCoin, uniformBelow } from '../../shared/random/sample.ts';
import { auc } from '../../shared/stats/roc.ts';
import { mannWhitneyPValue } from '../../shared/stats/tests.ts';
import { Seed } from '../../shared/units.ts';
import { plainPopulation } from '../support/audit-evidence.ts';
import { uniformityPValue } from '../support/uniformity.ts';

const root = seededRng(Seed.parse(31));
const options = {
  minGroupSize: 20,
  pairs: true,
  multipleTesting: 'holm',
  fprs: [0.05],
  level: 0.95,
} as const;

const most = 900;

/** Everybody's places, columns and neighbourhood stay the same over all audits: none of them looks at a role or a score. */
const everybody = ((): AuditPopulation => {
  const rng = root.fork('everybody');
  const column = (name: string, size: number): AuditPopulation['subpopulations'][number] => ({
    column: name,
    vocabulary: Array.from({ length: size }, (_, code) => `${code}`),
    codes: Int32Array.from({ length: most }, () => uniformBelow(rng, size)),
  });
  const given = {
    ...plainPopulation(new Array<Role>(most).fill('member')),
    places: { dims: 4, coordinates: Float32Array.from(standardNormals(rng, 4 * most)) },
    subpopulations: [column('sex', 2), column('ward', 3)],
  };
  return withNeighbourhoods(new Map([['site', given]]), rng.fork('clusters')).get('site')!;
})();

/** The first users with roles dealt anew: `reference` of ten are reference users, a fair coin decides the others. */
function population(rng: Rng, users: number, reference: number): AuditPopulation {
  const roles = Array.from({ length: users }, (_, user): Role => {
    if (user % 10 < reference) return 'reference';
    return fairCoin(rng) ? 'member' : 'held-out';
  });
  const first = Int32Array.from({ length: users }, (_, user) => user);
  return { ...populationOfUsers(everybody, first), roles };
}

/** What a model that nobody trained says of a user: it depends on where she stands, with noise of her own. */
function honestScores(rng: Rng, { places, roles }: AuditPopulation): Float64Array {
  const noise = standardNormals(rng, roles.length);
  return noise.map(
    (own, user) => own + 2 * places!.coordinates[4 * user]! + places!.coordinates[4 * user + 1]! ** 2,
  );
}

describe('users who never trained', () => {
  // The coin decides who is a member: one member at random against the held-out users of her group, 200 audits. Her p-value
  // is uniform on 1/n .. 1; a uniform number spreads it over its step. KS at 0.01 in each of 19 groups would fail one time in six,
  // so the smallest of them is held against 0.01 / 19.
  test('have uniform conformal p-values in every group, pairs and neighbourhoods included', () => {
    const values = new Map<string, number[]>();
    const spread = root.fork('ties');
    for (let audit = 0; audit < 200; audit++) {
      const rng = root.fork(`null ${audit}`);
      const given = population(rng, 900, 0);
      const scores = honestScores(rng, given);
      for (const { column, value, members, heldOut } of declaredGroups(given, true).groups) {
        const one = Float64Array.of(scores[members[uniformBelow(rng, members.length)]!]!);
        const [p] = conformalPValues(
          one,
          Float64Array.from(heldOut, (user) => scores[user]!),
        );
        const name = `${column}=${value}`;
        values.set(name, [...(values.get(name) ?? []), p! - spread.uniform() / (heldOut.length + 1)]);
      }
    }
    const pValues = [...values].map(([name, own]) => [name, uniformityPValue(own)] as const);
    expect(pValues).toHaveLength(2 + 3 + 8 + 6);
    for (const [name, p] of pValues) expect(p, name).toBeGreaterThan(0.01 / pValues.length);
  });

  // 200 audits; at a true rate of 0.05 more than 0.115 happens with probability 1e-4.
  test('lead to a false accusation of any group in at most 5 % of audits', () => {
    let accused = 0;
    let beyond = 0;
    let measured = 0;
    for (let audit = 0; audit < 200; audit++) {
      const rng = root.fork(`family ${audit}`);
      const given = population(rng, 900, 0);
      const scores = honestScores(rng, given);
      const results = subpopulationAttack(declaredGroups(given, true).groups, scores, options);
      if (results.some((result) => result.status === 'tested' && result.rejected)) accused++;
      const { members, heldOut } = scoresByRole(given, scores);
      const advantage = advantageAt(members, heldOut)!;
      measured++;
      if (advantage.low > 0 || advantage.high < 0) beyond++;
    }
    expect(accused / 200).toBeLessThan(0.115);
    expect(beyond / measured, 'advantage intervals that miss 0').toBeLessThan(0.115);
  });
});

describe('the comparison with neighbours', () => {
  const rates = (reference: number, audits: number): { rate: number; mean: number; error: number } => {
    let rejected = 0;
    const aucs: number[] = [];
    for (let audit = 0; audit < audits; audit++) {
      const rng = root.fork(`neighbours ${reference} ${audit}`);
      const given = population(rng, 300, reference);
      const { members, heldOut } = scoresByRole(given, neighbourDifference(given, honestScores(rng, given)));
      if (mannWhitneyPValue(members, heldOut) <= 0.05) rejected++;
      aucs.push(auc(members, heldOut));
    }
    const mean = aucs.reduce((sum, value) => sum + value, 0) / audits;
    const spread = Math.sqrt(aucs.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (audits - 1));
    return { rate: rejected / audits, mean, error: spread / Math.sqrt(audits) };
  };

  // 400 audits: a true rate of 0.06 (the variance grows by about 1/30) gives more than 0.105 with probability 3e-4.
  test.each([
    ['few reference users', 2],
    ['many reference users', 7],
  ])('among %s finds nothing where there is nothing', (name, reference) => {
    const { rate, mean, error } = rates(reference, 400);
    expect(rate, `${name}: rejected at 5 %`).toBeLessThan(0.105);
    expect(Math.abs(mean - 0.5), `${name}: mean AUC ${mean} +- ${error}`).toBeLessThan(4 * error);
    if (process.env['PARLEY_FIGURES'])
      process.stdout.write(`${name}: rate ${rate}, mean AUC ${mean} +- ${error}\n`);
  });

  test('sees a leak that differences between people hide', () => {
    const rng = root.fork('hidden');
    const given = population(rng, 900, 3);
    const scores = honestScores(rng, given).map((s, user) => s + (given.roles[user] === 'member' ? 1 : 0));
    const raw = scoresByRole(given, scores);
    const compared = scoresByRole(given, neighbourDifference(given, scores));
    expect(auc(compared.members, compared.heldOut)).toBeGreaterThan(auc(raw.members, raw.heldOut) + 0.03);
  });
});

describe('the list of vulnerable users', () => {
  // The stated rate is 0.1; its standard error over 200 runs is below 0.01.
  test('accuses at most one user in ten wrongly, over 200 runs in which one member in five leaks', () => {
    let [falseShare, power] = [0, 0];
    for (let audit = 0; audit < 200; audit++) {
      const rng = root.fork(`list ${audit}`);
      const given = population(rng, 600, 0);
      const scores = honestScores(rng, given).map((score, user) => {
        return given.roles[user] === 'member' && user % 5 === 0 ? score + 20 : score;
      });
      const { groups } = declaredGroups(given, true);
      const { flagged, flaggedMembers } = vulnerableUsers(given, scores, { groups, minGroupSize: 60 });
      if (flagged > 0) falseShare += (flagged - flaggedMembers) / flagged / 200;
      if (flaggedMembers > 0) power += 1 / 200;
    }
    expect(falseShare).toBeLessThanOrEqual(0.1 + 0.02);
    expect(power).toBeGreaterThan(0.5);
    if (process.env['PARLEY_FIGURES']) process.stdout.write(`false share ${falseShare}, power ${power}\n`);
  });

  test('accuses anybody in at most one run in ten where nobody leaks', () => {
    let accused = 0;
    for (let audit = 0; audit < 200; audit++) {
      const rng = root.fork(`nobody ${audit}`);
      const given = population(rng, 600, 0);
      const { groups } = declaredGroups(given, true);
      const { flagged } = vulnerableUsers(given, honestScores(rng, given), { groups, minGroupSize: 20 });
      if (flagged > 0) accused++;
    }
    expect(accused / 200).toBeLessThanOrEqual(0.1);
  });
});
