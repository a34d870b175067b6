import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { attackNames } from '../../../coordinator/audit/attacks.ts';
import type { Evidence } from '../../../coordinator/audit/evidence.ts';
import type { AuditPopulation, Role } from '../../../coordinator/audit/population.ts';
import { standardNormals } from '../../../shared/random/gaussian.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { auc } from '../../../shared/stats/roc.ts';
import { Seed } from '../../../shared/units.ts';
import { evidenceOf, measured, plainPopulation, signalsOf } from '../../support/audit-evidence.ts';

const rng = seededRng(Seed.parse(1));

/** Evidence for users with one record each. */
function plainEvidence(parts: Partial<Evidence> & { roles: readonly Role[] }): Evidence {
  const zero = signalsOf(new Float32Array(parts.roles.length));
  return {
    population: plainPopulation(parts.roles),
    initial: zero,
    current: zero,
    references: [],
    lossHistory: [],
    marginHistory: [],
    ...parts,
  };
}

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

describe('standardising by record count', () => {
  const sizes = (evidence: Evidence): Int32Array =>
    evidence.population.recordOffsets
      .subarray(1)
      .map((end, user) => end - evidence.population.recordOffsets[user]!);

  test('makes reference users of every size have mean 0 and spread 1, whatever their records', () => {
    // Sizes 1 .. 8 in turn: the larger, the smaller the spread of a mean.
    const users = 1600;
    const counts = Int32Array.from({ length: users }, (_, user) => 1 + (user % 8));
    const recordOffsets = new Int32Array(users + 1);
    counts.forEach((count, user) => {
      recordOffsets[user + 1] = recordOffsets[user]! + count;
    });
    const numRecords = recordOffsets[users]!;
    const noise = standardNormals(rng.fork('sizes'), numRecords);
    const zero = signalsOf(new Float32Array(numRecords));
    const population = {
      ...plainPopulation(Array.from({ length: users }, (): Role => 'reference')),
      recordOffsets,
      labels: new Int32Array(numRecords),
    };
    const evidence = plainEvidence({
      roles: population.roles,
      population,
      initial: zero,
      current: signalsOf(noise),
    });
    const scores = measured('mean-log-ratio-by-size', evidence);
    for (const [low, high] of [
      [1, 2],
      [3, 4],
      [5, 6],
      [7, 8],
    ] as const) {
      const inside = scores.filter(
        (_, user) => sizes(evidence)[user]! >= low && sizes(evidence)[user]! <= high,
      );
      const mean = inside.reduce((sum, value) => sum + value, 0) / inside.length;
      const square = inside.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (inside.length - 1);
      expect(mean).toBeCloseTo(0, 9);
      expect(square).toBeCloseTo(1, 9);
    }
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

describe('class calibration of modified entropy', () => {
  /** Two classes on scales 1 and 100; the first `reference` users are reference users, alternating classes. */
  function twoScales(reference: number): { population: AuditPopulation; entropy: Float32Array } {
    const total = reference + 4;
    const labels = Int32Array.from({ length: total }, (_, user) => user % 2);
    const wobble = Float64Array.from({ length: total }, (_, user) => 1 + ((user >> 1) % 5));
    const entropy = Float32Array.from(wobble, (value, user) => value * (labels[user] === 1 ? 100 : 1));
    const roles = Array.from(
      { length: total },
      (_, user): Role => (user < reference ? 'reference' : 'member'),
    );
    return { population: { ...plainPopulation(roles), labels }, entropy };
  }
  const scoresFor = (reference: number): number[] => {
    const { population, entropy } = twoScales(reference);
    const current = { ...signalsOf(entropy), modifiedEntropy: entropy };
    const evidence = {
      population,
      initial: current,
      current,
      references: [],
      lossHistory: [],
      marginHistory: [],
    };
    return [...measured('modified-entropy', evidence)].slice(-4);
  };

  test('makes classes of different scale comparable', () => {
    const [a0, a1, b0, b1] = scoresFor(60);
    expect(a0).toBeCloseTo(a1!, 5);
    expect(b0).toBeCloseTo(b1!, 5);
    expect(a0).not.toBeCloseTo(b0!, 1);
  });

  test('keeps away with fewer than 30 reference records of a class', () => {
    const { entropy } = twoScales(58);
    expect(scoresFor(58)).toEqual([...entropy].slice(-4).map((value) => -value));
  });
});
