import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Shard } from '../../../../shared/data/shard.ts';
import { pickLabels, pickRows } from '../../../../shared/model/pick-rows.ts';
import { ofSameClass, representationSlope } from '../../../../shared/model/silo/alignment.ts';
import { siloMisfit } from '../../../../shared/model/silo/combine.ts';
import { denseEngine } from '../../../../shared/model/silo/dense-engine.ts';
import { medianDistance, squaredDiscrepancy } from '../../../../shared/model/silo/discrepancy.ts';
import { gatherRecords, type SiloRecords } from '../../../../shared/model/silo/records.ts';
import type { SiloDefence } from '../../../../shared/model/silo/silo-defence.ts';
import type { SiloTask } from '../../../../shared/model/silo/silo-trainer.ts';
import { type LayerSpec, ModelSpec } from '../../../../shared/model/spec.ts';
import { seededRng } from '../../../../shared/random/rng.ts';
import { Seed } from '../../../../shared/units.ts';
import { distance, norm } from '../samples.ts';
import { spec, taskOf, trained } from './tasks.ts';

const rng = (seed: number) => seededRng(Seed.parse(seed));
const seeds = fc.integer({ min: 1, max: 10_000 });

/** Two sets of as many rows of three numbers. */
const halves = fc.integer({ min: 1, max: 6 }).chain((n) => {
  const value = fc.float({ min: 0, max: 1, noNaN: true });
  const half = fc.array(value, { minLength: 3 * n, maxLength: 3 * n });
  return fc.tuple(half, half);
});

describe.each(['alignment', 'representation-alignment'] as const)('%s', (type) => {
  const weighing = (weight: number): SiloDefence => ({ type, weight, bandwidth: 0.5 });

  test('without weight is plain descent on all records', async () => {
    const task = taskOf({ type: 'pooled' });
    const all = { ...task.plan, batchSize: 'all' as const };
    const pooled = await trained({ ...task, plan: all });
    const plain = await trained({ ...task, plan: { ...all, silo: weighing(0) } });
    expect(distance(plain, pooled)).toBeLessThan(1e-6 * norm(pooled));
    expect(await trained(taskOf(weighing(0)))).not.toEqual(plain);
  });

  test('of equal sides pulls nothing', async () => {
    const [equal, apart] = [publicCopy(0), publicCopy(0.5)];
    const far = async (change: Partial<SiloTask>): Promise<number> =>
      distance(await trained(taskOf(weighing(0), change)), await trained(taskOf(weighing(5), change)));
    expect(await far(equal)).toBeLessThan(1e-6);
    expect(await far(apart)).toBeGreaterThan(0.01);
  });
});

/** A drawn user with a record of each class, and a reference user with the same ones, shifted. */
function publicCopy(shift: number): Pick<SiloTask, 'shard' | 'users' | 'reference'> {
  const own = Float32Array.from({ length: 18 }, (_, i) => Math.sin(5 * i + 1));
  const shard: Shard = {
    ...taskOf({ type: 'pooled' }).shard,
    features: Float32Array.of(...own, ...own.map((value) => value + shift)),
    labels: Int32Array.of(0, 1, 2, 0, 1, 2),
    userOffsets: Int32Array.of(0, 3, 6),
    userIds: ['drawn', 'public'],
  };
  return { shard, users: Int32Array.of(0), reference: Int32Array.of(1) };
}

test('both kinds draw the same steps and counterparts', async () => {
  const answers = await trained(taskOf({ type: 'alignment', weight: 0, bandwidth: 0.5 }));
  const deep = await trained(taskOf({ type: 'representation-alignment', weight: 0, bandwidth: 'median' }));
  expect(distance(answers, deep)).toBe(0);
});

test('takes counterparts of the same class wherever there are some', () => {
  const labels = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(labels, labels, seeds, (reference, wanted, seed) => {
      const rows = ofSameClass(Int32Array.from(reference), rng(seed))(Int32Array.from(wanted));
      for (const [at, row] of rows.entries()) {
        expect(reference[row]).toBeDefined();
        if (reference.includes(wanted[at]!)) expect(reference[row]).toBe(wanted[at]);
      }
    }),
  );
});

describe('alignment of representations', () => {
  /** How far apart the step's two sets are under these parameters, free of scale, and the median distance. */
  function lookedAt(features: Float32Array, parameters: Float32Array): { apart: number; median: number } {
    const seen = { apart: NaN, median: NaN };
    const byRepresentations = (values: Float32Array): number => {
      seen.median = medianDistance(values, 5);
      seen.apart = squaredDiscrepancy(values, 5, seen.median).value;
      return seen.apart;
    };
    const out = new Float64Array(parameters.length);
    denseEngine(spec).derivative({ parameters, features }, () => 0, out, { byRepresentations });
    return seen;
  }

  /** Public records of every class, half a unit off. */
  function shifted(): SiloTask {
    const [users, reference] = [Int32Array.of(0, 2, 3, 6, 7), Int32Array.of(1, 4, 5)];
    const task = taskOf({ type: 'pooled' }, { users, reference });
    const { shard } = task;
    const features = shard.features.slice();
    for (const user of reference)
      for (let at = shard.userOffsets[user]! * 6; at < shard.userOffsets[user + 1]! * 6; at++)
        features[at] = features[at]! + 0.5;
    return { ...task, shard: { ...shard, features } };
  }

  test('brings them closer than labels alone; too much weight at the median bandwidth makes all of them one', async () => {
    const task = shifted();
    const gathered = (users: Int32Array): SiloRecords =>
      gatherRecords(task.shard, spec, { users, maxRecordsPerUser: 100 });
    const [own, others] = [gathered(task.users), gathered(task.reference)];
    const rows = ofSameClass(others.labels, rng(7))(own.labels);
    expect(pickLabels(others.labels, rows)).toEqual(own.labels);
    const features = Float32Array.of(...own.features, ...pickRows(others.features, rows, 6));
    const after = async (silo: SiloDefence): Promise<{ apart: number; median: number }> =>
      lookedAt(features, await trained({ ...task, plan: { ...task.plan, epochs: 40, silo } }));
    for (const bandwidth of ['median', 1] as const) {
      const plain = await after({ type: 'representation-alignment', weight: 0, bandwidth });
      const aligned = await after({ type: 'representation-alignment', weight: 1, bandwidth });
      expect(aligned.apart).toBeLessThan(0.5 * plain.apart);
      expect(aligned.median).toBeGreaterThan(0.3 * plain.median);
      const heavy = await after({ type: 'representation-alignment', weight: 3, bandwidth });
      if (bandwidth === 'median') expect(heavy.median).toBeLessThan(1e-3);
      else expect(heavy.median).toBeGreaterThan(0.1);
    }
  });

  test('at the median bandwidth knows no scale', () => {
    // Few digits and powers of two, so that nothing is rounded.
    const scales = fc.constantFrom(2 ** -7, 0.5, 4, 2 ** 10);
    fc.assert(
      fc.property(halves, scales, ([a, b], scale) => {
        const rows = Float32Array.of(...a, ...b).map((value) => Math.round(64 * value) / 64);
        const aligned = (values: Float32Array): { value: number; out: Float32Array } => {
          const out = new Float32Array(values.length);
          const slope = representationSlope(values.length / 3, { weight: 2, bandwidth: 'median' });
          return { value: slope(values, out), out };
        };
        const [one, other] = [aligned(rows), aligned(rows.map((value) => scale * value))];
        expect(other.value).toBe(one.value);
        // Numbers near the smallest there are lose digits all the same.
        const back = other.out.map((slope) => slope * scale);
        expect(distance(back, one.out)).toBeLessThan(1e-30);
      }),
    );
  });

  test.each<[string, LayerSpec[]]>([
    ['no hidden layer', []],
    ['nothing but flattening', [{ type: 'flatten' }]],
    ['nothing but pooling', [{ type: 'averagePooling2d', poolSize: 2 }, { type: 'flatten' }]],
  ])('is refused for a model with %s, and alignment of answers is not', (_, layers) => {
    const inputShape = layers.length === 0 ? [4] : [4, 4, 1];
    const shallow = ModelSpec.parse({ inputShape, layers, output: { type: 'sigmoid' } });
    const deep: SiloDefence = { type: 'representation-alignment', weight: 1, bandwidth: 'median' };
    expect(siloMisfit(deep, shallow)).toContain('add a layer with weights to federation.model');
    expect(siloMisfit(deep, spec)).toBeUndefined();
    expect(siloMisfit({ type: 'alignment', weight: 1, bandwidth: 0.5 }, shallow)).toBeUndefined();
  });
});

describe('the discrepancy', () => {
  test('is zero between equal halves, at most two, and the same for halves exchanged', () => {
    fc.assert(
      fc.property(halves, fc.constantFrom(0.05, 0.5, 3), ([a, b], bandwidth) => {
        const between = (x: number[], y: number[]): number =>
          squaredDiscrepancy(Float32Array.of(...x, ...y), 3, bandwidth).value;
        expect(between(a, a)).toBeCloseTo(0, 12);
        expect(between(a, b)).toBeGreaterThan(-1e-12);
        expect(between(a, b)).toBeLessThanOrEqual(2);
        expect(between(b, a)).toBeCloseTo(between(a, b), 12);
      }),
    );
  });

  test('has no slope between equal halves', () => {
    fc.assert(
      fc.property(halves, fc.constantFrom(0.05, 0.5, 3), ([a], bandwidth) => {
        const { slopes } = squaredDiscrepancy(Float32Array.of(...a, ...a), 3, bandwidth);
        expect(norm(slopes)).toBeLessThan(1e-12 / bandwidth);
      }),
    );
  });

  test('counts as zero where the median distance is', () => {
    const rows = new Float32Array(12).fill(0.3);
    expect(medianDistance(rows, 3)).toBe(0);
    expect(squaredDiscrepancy(rows, 3, 0)).toEqual({ value: 0, slopes: new Float64Array(12) });
  });
});

test.each([300, 20_000])('the median distance of %d uniform numbers is 1 - sqrt(1/2)', (count) => {
  const draws = rng(11);
  const rows = Float32Array.from({ length: count }, () => draws.uniform());
  expect(Math.abs(medianDistance(rows, 1) - (1 - Math.SQRT1_2))).toBeLessThan(0.02);
});
