import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { attackNames } from '../../../coordinator/audit/attacks.ts';
import type { Evidence } from '../../../coordinator/audit/evidence.ts';
import type { AuditPopulation, Role } from '../../../coordinator/audit/population.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { auc } from '../../../shared/stats/roc.ts';
import { Seed } from '../../../shared/units.ts';
import {
  evidenceOf,
  measured,
  plainEvidence,
  plainPopulation,
  signalsOf,
} from '../../support/audit-evidence.ts';

const rng = seededRng(Seed.parse(1));

describe('every attack', () => {
  test.each(attackNames)('%s scores a user the same, member or held out', (name) => {
    const evidence = evidenceOf(rng.fork(name), { users: 300, leak: 1 });
    const swapped = evidence.population.roles.map((role): Role => {
      return role === 'member' ? 'held-out' : role === 'held-out' ? 'member' : role;
    });
    const blind = { ...evidence, population: { ...evidence.population, roles: swapped } };
    expect(measured(name, blind)).toEqual(measured(name, evidence));
  });

  test.each(attackNames)('%s scores members higher when they leak', (name) => {
    const evidence = evidenceOf(rng.fork(name), { users: 600, leak: 2 });
    const scores = measured(name, evidence);
    const pick = (role: Role): Float64Array =>
      scores.filter((_, user) => evidence.population.roles[user] === role);
    // AUC 0.96 or more in expectation, standard error 0.01: fails by chance with probability below 1e-9.
    expect(auc(pick('member'), pick('held-out'))).toBeGreaterThan(0.8);
  });

  test.each(attackNames)('%s gives one finite score per user, in user order', (name) => {
    const evidence = evidenceOf(rng.fork(name), { users: 240, records: 3 });
    const scores = measured(name, evidence);
    expect(scores).toHaveLength(240);
    expect(scores.every(Number.isFinite)).toBe(true);
  });
});

describe('formulas', () => {
  const roles: Role[] = ['member', 'held-out', 'member'];

  test('margin and modified entropy of the design, section D1', () => {
    const current = {
      ...signalsOf(new Float32Array(3)),
      margin: Float32Array.of(1.29858672, -1.14115387, -3.01814993),
      modifiedEntropy: Float32Array.of(0.08708103, 1.54617226, 5.5003854),
    };
    const evidence = plainEvidence({ roles, current });
    expect([...measured('margin', evidence)]).toEqual([...current.margin]);
    expect([...measured('modified-entropy', evidence)]).toEqual(
      Array.from(current.modifiedEntropy, (x) => -x),
    );
  });

  test('mean log-ratio, loss and margin are means over the records of a user', () => {
    const population: AuditPopulation = {
      ...plainPopulation(['member', 'held-out']),
      recordOffsets: Int32Array.of(0, 3, 4),
      labels: new Int32Array(4),
    };
    const evidence: Evidence = {
      population,
      initial: signalsOf([4, 3, 2, 1]),
      current: signalsOf([1, 1, 1, 2]),
      references: [],
      lossHistory: [],
      marginHistory: [],
    };
    expect([...measured('mean-log-ratio', evidence)]).toEqual([2, -1]);
    expect([...measured('loss', evidence)]).toEqual([-1, -2]);
    expect([...measured('margin', evidence)]).toEqual([-1, -2]);
  });
});

describe('summaries over records', () => {
  const one = (
    losses: readonly number[],
    initial: readonly number[],
    references: readonly number[][] = [],
  ): Evidence => ({
    population: {
      ...plainPopulation(['member']),
      recordOffsets: Int32Array.of(0, losses.length),
      labels: new Int32Array(losses.length),
      freshCounts: Int32Array.of(1),
    },
    initial: signalsOf(initial),
    current: signalsOf(losses),
    references: references.map(signalsOf),
    lossHistory: [],
    marginHistory: [],
  });

  test('trimmed drops the tenth on either side, max takes the largest, fresh the last', () => {
    const losses = [-100, ...Array.from({ length: 8 }, () => 1), 50];
    const evidence = one(losses, new Array<number>(10).fill(2));
    expect([...measured('trimmed-log-ratio', evidence)]).toEqual([1]);
    expect([...measured('max-log-ratio', evidence)]).toEqual([102]);
    expect([...measured('fresh-mean-log-ratio', evidence)]).toEqual([-48]);
  });

  test('nine records are too few to trim', () => {
    const evidence = one([10, ...new Array<number>(8).fill(1)], new Array<number>(9).fill(2));
    expect([...measured('trimmed-log-ratio', evidence)]).toEqual([...measured('mean-log-ratio', evidence)]);
  });

  test('reference models count by their mean loss', () => {
    const evidence = one(
      [1, 1],
      [9, 9],
      [
        [2, 2],
        [4, 6],
      ],
    );
    expect([...measured('mean-reference-ratio', evidence)]).toEqual([2.5]);
    expect([...measured('max-reference-ratio', evidence)]).toEqual([3]);
  });
});

describe('trajectory slope', () => {
  const slope = (losses: readonly number[]): number => {
    const [first, ...later] = losses;
    const lossHistory = later.map((loss) => Float32Array.of(loss));
    return -measured(
      'trajectory-slope',
      plainEvidence({ roles: ['member'], initial: signalsOf([first!]), lossHistory }),
    )[0]!;
  };

  test('is -0.3 for losses 2, 1.5, 1.2, 1.1 (design, section D8)', () => {
    expect(slope([2, 1.5, 1.2, 1.1])).toBeCloseTo(-0.3, 6);
  });

  test('is that of the line through any straight trajectory', () => {
    const eighth = fc.integer({ min: -80, max: 80 }).map((k) => k / 8);
    fc.assert(
      fc.property(eighth, eighth, fc.integer({ min: 2, max: 40 }), (start, step, versions) => {
        expect(slope(Array.from({ length: versions }, (_, t) => start + step * t))).toBeCloseTo(step, 9);
      }),
    );
  });

  test('after one round is the mean log-ratio, before it nothing', () => {
    const current = signalsOf([1.25]);
    const lossHistory = [Float32Array.of(1.25)];
    const evidence = plainEvidence({ roles: ['member'], initial: signalsOf([2]), current, lossHistory });
    expect([...measured('trajectory-slope', evidence)]).toEqual([...measured('mean-log-ratio', evidence)]);
    expect(() => slope([2])).toThrow('no round is finished yet');
  });
});
