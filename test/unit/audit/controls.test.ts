import { describe, expect, test } from 'vitest';
import {
  minimumDetectableAuc,
  negativeControl,
  positiveControl,
} from '../../../coordinator/audit/controls.ts';
import { standardNormals } from '../../../shared/random/gaussian.ts';
import { type Rng, seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';

const rng = seededRng(Seed.parse(3));

/** An rng whose coins always come up the same: a permutation that permutes nothing at random. */
const broken: Rng = {
  kind: 'seeded',
  uint32: () => 4_000_000_000,
  ahead: () => new Uint32Array(0),
  skip: () => undefined,
  uniform: () => 0.9,
  bytes: (n) => new Uint8Array(n),
  fork: () => broken,
};

const pause = (): Promise<void> => Promise.resolve();

describe('negativeControl', () => {
  // False alarm below 1e-3 each.
  test.each([
    [2, 2],
    [20, 20],
    [300, 200],
    [12, 900],
  ])('passes for %d members and %d held-out users, however far apart they are', async (members, heldOut) => {
    const high = standardNormals(rng.fork(`${members} high`), members).map((score) => score + 3);
    const low = standardNormals(rng.fork(`${heldOut} low`), heldOut);
    const control = await negativeControl(high, low, {
      rng: rng.fork(`control ${members} ${heldOut}`),
      pause,
    });
    expect(control.passed).toBe(true);
    expect(control.low).toBeLessThan(0.5);
    expect(control.high).toBeGreaterThan(0.5);
  });

  test('passes for tied scores', async () => {
    const control = await negativeControl(new Float64Array(50), new Float64Array(60), {
      rng: rng.fork('ties'),
      pause,
    });
    expect(control).toMatchObject({ passed: true });
    expect(control.auc).toBeCloseTo(0.5, 12);
  });

  test('fails when the permutation is none', async () => {
    const high = Float64Array.from({ length: 40 }, (_, i) => i + 100);
    const low = Float64Array.from({ length: 40 }, (_, i) => i);
    const control = await negativeControl(high, low, { rng: broken, pause });
    expect(control.passed).toBe(false);
  });

  test('fails when every interval misses chance, though their mean does not', async () => {
    const high = Float64Array.from({ length: 40 }, (_, i) => i + 100);
    const low = Float64Array.from({ length: 40 }, (_, i) => i);
    // The lowest 40 of 80 scores become members, then the highest 40, and so on: AUC 0, 1, 0, 1, ...
    let calls = 0;
    const extreme: Rng = {
      ...broken,
      uint32: () => (Math.floor(calls++ / 80) % 2 === 0 ? 0 : 2 ** 32 - 1),
    };
    const control = await negativeControl(high, low, { rng: extreme, pause });
    expect(control.auc).toBeCloseTo(0.5, 12);
    expect(control).toMatchObject({ passed: false });
    expect(control.low).toBeLessThan(0.5);
  });

  test('fails when the permutations lean to one side, though most intervals cover chance', async () => {
    const high = Float64Array.from({ length: 40 }, (_, i) => i + 100);
    const low = Float64Array.from({ length: 40 }, (_, i) => i);
    const stream = rng.fork('leaning');
    const leaning = {
      ...stream,
      ahead: () => new Uint32Array(0),
      uint32: () => Math.floor(stream.uniform() ** 1.15 * 2 ** 32),
    };
    const control = await negativeControl(high, low, { rng: leaning, pause });
    expect(control).toMatchObject({ passed: false });
    expect(control.high).toBeGreaterThan(0.55);
  });

  test('repeats with the same stream', async () => {
    const scores = standardNormals(rng.fork('repeat'), 60);
    const once = await negativeControl(scores.slice(0, 30), scores.slice(30), {
      rng: rng.fork('same'),
      pause,
    });
    expect(
      await negativeControl(scores.slice(0, 30), scores.slice(30), { rng: rng.fork('same'), pause }),
    ).toEqual(once);
  });
});

describe('positiveControl', () => {
  test.each([
    [6, 6, 1],
    [29, 400, 1],
    [30, 30, 0.75],
    [300, 200, 0.75],
    [35, 4000, 0.757],
  ])('finds the leak among %d members and %d held-out users, however they score', (members, heldOut, auc) => {
    for (const shift of [-3, 0, 3]) {
      const high = standardNormals(rng.fork(`${members} planted`), members).map((score) => score + shift);
      const low = standardNormals(rng.fork(`${heldOut} planted`), heldOut);
      const { positiveControl: control } = positiveControl(high, low);
      expect(control).toMatchObject({ passed: true });
      expect(control!.plantedAuc).toBeCloseTo(auc, 3);
      expect(Math.abs(control!.auc - auc)).toBeLessThan(0.02);
    }
  });

  test('finds it among scores that are all the same', () => {
    const { positiveControl: control } = positiveControl(new Float64Array(50), new Float64Array(60));
    expect(control).toMatchObject({ passed: true, auc: 0.75, plantedAuc: 0.75 });
  });

  test('says nothing where no leak could show', () => {
    expect(positiveControl(new Float64Array(5), new Float64Array(900))).toEqual({});
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
