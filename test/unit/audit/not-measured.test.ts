import { describe, expect, test } from 'vitest';
import type { Scores } from '../../../coordinator/audit/attack.ts';
import { type AttackName, attacks } from '../../../coordinator/audit/attacks.ts';
import type { Evidence } from '../../../coordinator/audit/evidence.ts';
import type { Role } from '../../../coordinator/audit/population.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';
import { evidenceOf, measured } from '../../support/audit-evidence.ts';

const rng = seededRng(Seed.parse(1));

describe('what cannot be measured says so', () => {
  const attack = (name: AttackName, evidence: Evidence): Scores => attacks[name](evidence);
  const some = evidenceOf(rng.fork('some'), { users: 300 });

  test('users without two distinct records score as the median reference user', () => {
    const pair = some.current.embedding!.pair.slice();
    pair.fill(-1, 0, 3);
    const embedding = { ...some.current.embedding!, pair };
    const scores = measured('embedding-pair', { ...some, current: { ...some.current, embedding } });
    const reference = [...scores].filter(
      (_, user) => user >= 3 && some.population.roles[user] === 'reference',
    );
    reference.sort((a, b) => a - b);
    const middle = (reference.length - 1) / 2;
    const median = (reference[Math.floor(middle)]! + reference[Math.ceil(middle)]!) / 2;
    expect([...scores.subarray(0, 3)]).toEqual([median, median, median]);
  });

  test('one record each, and no reference users', () => {
    const none = new Float32Array(300).fill(-1);
    const embedding = { compactness: none, pair: none, separation: none };
    const alone = { ...some, current: { ...some.current, embedding } };
    expect(attack('embedding-pair', alone)).toEqual({
      notMeasured: 'no audit user has two distinct records to compare',
    });
    const roles = some.population.roles.map((role): Role => (role === 'reference' ? 'member' : role));
    const without = { ...some, population: { ...some.population, roles } };
    for (const name of ['rmia', 'quantile', 'mean-log-ratio-by-size', 'loss-by-class'] as const)
      expect(attack(name, without)).toHaveProperty('notMeasured');
  });
});
