import { describe, expect, test } from 'vitest';
import { minimumDetectableAuc, negativeControl } from '../../../coordinator/audit/controls.ts';
import { standardNormals } from '../../../shared/random/gaussian.ts';
import { type Rng, seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';

const rng = seededRng(Seed.parse(3));

/** An rng whose coins always come up the same: a permutation that permutes nothing at random. */
const broken: Rng = {
  kind: 'seeded',
  uint32: () => 4_000_000_000,
  uniform: () => 0.9,
  bytes: (n) => new Uint8Array(n),
  fork: () => broken,
};

describe('negativeControl', () => {
  // False alarm below 1e-3 each.
  test.each([
    [2, 2],
    [20, 20],
    [300, 200],
    [12, 900],
  ])('passes for %d members and %d held-out users, however far apart they are', (members, heldOut) => {
    const high = standardNormals(rng.fork(`${members} high`), members).map((score) => score + 3);
    const low = standardNormals(rng.fork(`${heldOut} low`), heldOut);
    const control = negativeControl(high, low, rng.fork(`control ${members} ${heldOut}`));
    expect(control.passed).toBe(true);
    expect(control.low).toBeLessThan(0.5);
    expect(control.high).toBeGreaterThan(0.5);
  });

  test('passes for tied scores', () => {
    const control = negativeControl(new Float64Array(50), new Float64Array(60), rng.fork('ties'));
    expect(control).toMatchObject({ passed: true });
    expect(control.auc).toBeCloseTo(0.5, 12);
  });

  test('fails when the permutation is none', () => {
    const high = Float64Array.from({ length: 40 }, (_, i) => i + 100);
    const low = Float64Array.from({ length: 40 }, (_, i) => i);
    expect(negativeControl(high, low, broken).passed).toBe(false);
  });

  test('fails when every interval misses chance, though their mean does not', () => {
    const high = Float64Array.from({ length: 40 }, (_, i) => i + 100);
    const low = Float64Array.from({ length: 40 }, (_, i) => i);
    // The lowest 40 of 80 scores become members, then the highest 40, and so on: AUC 0, 1, 0, 1, ...
    let calls = 0;
    const extreme: Rng = {
      ...broken,
      uniform: () => (Math.floor(calls++ / 80) % 2 === 0 ? 0 : 1 - 2 ** -53),
    };
    const control = negativeControl(high, low, extreme);
    expect(control.auc).toBeCloseTo(0.5, 12);
    expect(control).toMatchObject({ passed: false });
    expect(control.low).toBeLessThan(0.5);
  });

  test('fails when the permutations lean to one side, though most intervals cover chance', () => {
    const high = Float64Array.from({ length: 40 }, (_, i) => i + 100);
    const low = Float64Array.from({ length: 40 }, (_, i) => i);
    const stream = rng.fork('leaning');
    const control = negativeControl(high, low, { ...stream, uniform: () => stream.uniform() ** 1.15 });
    expect(control).toMatchObject({ passed: false });
    expect(control.high).toBeGreaterThan(0.55);
  });

  test('repeats with the same stream', () => {
    const scores = standardNormals(rng.fork('repeat'), 60);
    const once = negativeControl(scores.slice(0, 30), scores.slice(30), rng.fork('same'));
    expect(negativeControl(scores.slice(0, 30), scores.slice(30), rng.fork('same'))).toEqual(once);
  });
});

describe('minimumDetectableAuc', () => {
  // scipy: .5 + (norm.ppf(.95) + norm.ppf(.8)) * sqrt((n0 + n1 + 1) / (12 * n0 * n1))
  test.each([
    [100, 100, 0.6017633694589223],
    [5000, 5000, 0.5143563870660912],
    [50, 400, 0.6077870839440908],
  ])('for %d and %d', (members, heldOut, expected) => {
    expect(minimumDetectableAuc(members, heldOut)).toBeCloseTo(expected, 12);
  });

  test('never exceeds 1', () => {
    expect(minimumDetectableAuc(1, 1)).toBe(1);
  });
});
