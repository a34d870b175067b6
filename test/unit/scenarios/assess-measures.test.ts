import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Evidence } from '../../../coordinator/index.ts';
import { overfittingOf } from '../../../scenarios/assess/gaps.ts';
import { reliability } from '../../../scenarios/assess/reliability.ts';
import { heldTogether, highestTpr, strongest } from '../../../scenarios/assess/strongest.ts';
import { signalsOf } from '../../../shared/model/record-signals.ts';
import type { AttackResult } from '../../../shared/protocol/audit-report.ts';
import { standardNormals } from '../../../shared/random/gaussian.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { aucInterval } from '../../../shared/stats/interval.ts';
import { Seed } from '../../../shared/units.ts';
import { plainPopulation } from '../../support/audit-evidence.ts';

interface Interval {
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

const { answers } = JSON.parse(
  readFileSync(new URL('../../vectors/reliability.json', import.meta.url), 'utf8'),
) as {
  answers: {
    classes: number;
    counts: number[];
    logits: number[];
    labels: number[];
    overconfidence: Interval;
    expectedError: number;
    errorByChance: number;
  }[];
};

describe('calibration from signals', () => {
  test.each(answers)('is that of numpy from probabilities, $classes classes', (expected) => {
    const logits = { values: Float64Array.from(expected.logits), numClasses: expected.classes };
    const signals = signalsOf(logits, Int32Array.from(expected.labels));
    let next = 0;
    const users = expected.counts.map((count) => Array.from({ length: count }, () => next++));
    const found = reliability(signals, users);
    for (const side of ['mean', 'low', 'high'] as const)
      expect(found.overconfidence[side]).toBeCloseTo(expected.overconfidence[side], 5);
    expect(found.expectedError).toBeCloseTo(expected.expectedError, 5);
    expect(found.errorByChance).toBeCloseTo(expected.errorByChance, 5);
    expect([found.users, found.records]).toEqual([expected.counts.length, expected.labels.length]);
  });

  test('of a model that is sure and right has no error', () => {
    const logits = { values: Float64Array.from([90, 0, 0, 90]), numClasses: 2 };
    const found = reliability(signalsOf(logits, Int32Array.of(0, 1)), [[0], [1]]);
    expect(found.overconfidence.mean).toBeCloseTo(0, 9);
    expect(found.expectedError).toBeCloseTo(0, 9);
  });
});

/** Eight users with two records each; the last record of the first user is fresh, the last user a canary. */
function someEvidence(losses: readonly number[]): Evidence {
  const loss = Float32Array.from(losses);
  const signals = {
    ...{ loss, margin: loss.map((value) => -value), entropy: loss, modifiedEntropy: loss },
    hinge: loss.map((value) => 1 - value),
  };
  const roles = [
    'member',
    'held-out',
    'member',
    'held-out',
    'reference',
    'member',
    'held-out',
    'member',
  ] as const;
  const population = {
    ...plainPopulation(roles),
    recordOffsets: Int32Array.from({ length: 9 }, (_, user) => 2 * user),
    labels: new Int32Array(16),
    freshCounts: Int32Array.of(1, 0, 0, 0, 0, 0, 0, 0),
    mislabelled: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 1),
  };
  const means = Float32Array.from(roles, (_, user) => (losses[2 * user]! + losses[2 * user + 1]!) / 2);
  return {
    ...{ population, initial: signals, current: signals, references: [] },
    ...{ lossHistory: [means], marginHistory: [] },
  };
}

describe('the gap between users who trained and users who did not', () => {
  test('counts every user once, and leaves out fresh records, reference users and canaries', () => {
    //      member     held-out  member  held-out  reference  member  held-out  canary
    const losses = [0.5, 99, 2, 4, 0.25, 0.25, 1, 1, 50, 50, 0, 0.5, 5, 5, 70, 70];
    const { members, heldOut, loss, accuracy, course } = overfittingOf(someEvidence(losses))!;
    expect([members, heldOut]).toEqual([3, 3]);
    expect(loss.members).toBeCloseTo((0.5 + 0.25 + 0.25) / 3, 6);
    expect(loss.heldOut).toBeCloseTo((3 + 1 + 5) / 3, 6);
    expect(loss.gap.mean).toBeCloseTo(3 - 1 / 3, 6);
    // A record is right when its hinge, here 1 - loss, is above 0.
    expect([accuracy.members, accuracy.heldOut]).toEqual([1, 0]);
    // The stored means are over all records.
    expect(course.map(({ members: own }) => own)).toEqual([expect.closeTo((49.75 + 0.25 + 0.25) / 3, 4)]);
  });

  test('moves by what members are given, with an interval as wide as before', () => {
    const rng = seededRng(Seed.parse(3));
    fc.assert(
      fc.property(fc.double({ min: 0, max: 2, noNaN: true }), (shift) => {
        const losses = Array.from(standardNormals(rng, 16), Math.abs);
        const shifted = losses.map((loss, record) => ([0, 2, 5].includes(record >> 1) ? loss + shift : loss));
        const [one, two] = [losses, shifted].map((own) => overfittingOf(someEvidence(own))!.loss.gap);
        expect(one!.mean - two!.mean).toBeCloseTo(shift, 5);
        expect(two!.high! - two!.low!).toBeCloseTo(one!.high! - one!.low!, 4);
      }),
      { numRuns: 30 },
    );
  });

  test('is nothing without users of both roles', () => {
    const evidence = someEvidence(Array.from({ length: 16 }, () => 1));
    const population = {
      ...evidence.population,
      roles: evidence.population.roles.map(() => 'member' as const),
    };
    expect(overfittingOf({ ...evidence, population })).toBe(undefined);
  });
});

describe('the strongest of several attacks', () => {
  test('has the interval that the audit itself would give at the stricter level', () => {
    const rng = seededRng(Seed.parse(4));
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 60 }),
        fc.double({ min: 0, max: 9, noNaN: true }),
        (looks, shift) => {
          const members = standardNormals(rng, 25).map((score) => score + shift);
          const heldOut = standardNormals(rng, 30);
          const exact = aucInterval(members, heldOut, 1 - 0.05 / looks);
          const widened = heldTogether(aucInterval(members, heldOut), looks);
          expect(widened.low).toBeCloseTo(exact.low, 6);
          expect(widened.high).toBeCloseTo(exact.high, 6);
        },
      ),
      { numRuns: 100 },
    );
  });

  test('also where attacks are all wrong, or all right', () => {
    const [high, low] = [Float64Array.of(3, 4, 5), Float64Array.of(0, 1, 2)];
    for (const [members, heldOut] of [
      [high, low],
      [low, high],
    ] as const) {
      const exact = aucInterval(members, heldOut, 1 - 0.05 / 7);
      const widened = heldTogether(aucInterval(members, heldOut), 7);
      expect([widened.low, widened.high]).toEqual([
        expect.closeTo(exact.low, 9),
        expect.closeTo(exact.high, 9),
      ]);
    }
  });

  test('is the one with the largest AUC, and counts the others', () => {
    const result = (attack: string, auc: number, tpr: number): AttackResult => ({
      ...{ attack, auc, low: auc - 0.05, high: auc + 0.05 },
      tprAtFpr: [{ status: 'measured', fpr: 0.01, tpr, low: 0, high: 1, falsePositives: 1 }],
    });
    const results = [result('one', 0.55, 0.03), result('two', 0.6, 0.01), result('three', 0.58, 0.02)];
    expect(strongest(results)).toMatchObject({ attack: 'two', auc: 0.6, looks: 3 });
    expect(strongest(results)!.low).toBeLessThan(0.55);
    expect(highestTpr(results, 0.01)).toMatchObject({ attack: 'one', tpr: 0.03 });
    expect([strongest([]), highestTpr([], 0.01), highestTpr(results, 0.1)]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
