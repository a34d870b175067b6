import { describe, expect, test } from 'vitest';
import type { Evidence } from '../../../coordinator/audit/evidence.ts';
import type { AuditPopulation, Role } from '../../../coordinator/audit/population.ts';
import { standardNormals } from '../../../shared/random/gaussian.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';
import { measured, plainEvidence, plainPopulation, signalsOf } from '../../support/audit-evidence.ts';

const rng = seededRng(Seed.parse(1));

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
