import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { selectUsers } from '../../../../shared/data/partition.ts';
import { LocalPlan } from '../../../../shared/model/local-trainer.ts';
import { maskOf } from '../../../../shared/model/mask.ts';
import type { SiloDefence } from '../../../../shared/model/silo/silo-defence.ts';
import type { SiloTask } from '../../../../shared/model/silo/silo-trainer.ts';
import { disjointGroups, nonMemberships } from '../../../../shared/model/silo/split.ts';
import { siloTrainer } from '../../../../shared/model/silo/train-site.ts';
import { seededRng } from '../../../../shared/random/rng.ts';
import { Seed } from '../../../../shared/units.ts';
import { refusalOf } from '../../../support/temporary.ts';
import { distance, norm } from '../samples.ts';
import { spec, taskOf, trained } from './tasks.ts';

const rng = (seed: number) => seededRng(Seed.parse(seed));
const seeds = fc.integer({ min: 1, max: 10_000 });

describe('groups of users', () => {
  test('are disjoint, cover everybody, and differ in size by one at most', () => {
    fc.assert(
      fc.property(fc.nat(60), fc.integer({ min: 1, max: 12 }), seeds, (numUsers, numGroups, seed) => {
        const groups = disjointGroups(numUsers, numGroups, rng(seed));
        const sizes = Array.from(
          { length: numGroups },
          (_, group) => groups.filter((own) => own === group).length,
        );
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(numUsers);
        expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('come out every way: no user is tied to a group', () => {
    const seen = new Set(Array.from({ length: 40 }, (_, seed) => disjointGroups(3, 3, rng(seed + 1)).join()));
    expect(seen.size).toBe(6);
  });
});

describe('non-members of submodels', () => {
  const split = fc.integer({ min: 2, max: 25 }).chain((submodels) =>
    fc.record({
      submodels: fc.constant(submodels),
      nonMemberOf: fc.integer({ min: 1, max: submodels - 1 }),
    }),
  );
  const ids = fc.uniqueArray(fc.string({ maxLength: 5 }), { minLength: 1, maxLength: 12 });

  test('every user is one of exactly so many, all different and known', () => {
    fc.assert(
      fc.property(ids, split, seeds, (users, options, seed) => {
        for (const own of nonMemberships(users, options, rng(seed))) {
          expect(new Set(own).size).toBe(options.nonMemberOf);
          expect(own.every((submodel) => submodel >= 0 && submodel < options.submodels)).toBe(true);
        }
      }),
    );
  });

  test("a user's do not depend on who else is there, nor in which order", () => {
    fc.assert(
      fc.property(ids, split, seeds, (users, options, seed) => {
        const all = nonMemberships(users, options, rng(seed));
        const reversed = nonMemberships(users.toReversed(), options, rng(seed)).toReversed();
        expect(reversed).toEqual(all);
        expect(nonMemberships(users.slice(-1), options, rng(seed))).toEqual(all.slice(-1));
      }),
    );
  });
});

const recordPrivacy: SiloDefence = {
  ...{ type: 'record-dp-sgd', clipNorm: 0.5, noiseMultiplier: 1, samplingRate: 0.5, steps: 2 },
  ...{ recordsPerStep: 5, delta: 1e-5 },
};
const defences: readonly SiloDefence[] = [
  { type: 'pooled' },
  { type: 'mist', groups: 3, weight: 1, pullEpochs: 1 },
  { type: 'selena', submodels: 4, nonMemberOf: 2 },
  { type: 'distillation', temperature: 1, keep: 1 },
  { type: 'adversarial', weight: 1, units: 4, attackSteps: 1, attackLearningRate: 0.5 },
  { type: 'alignment', weight: 1, bandwidth: 0.5 },
  { type: 'representation-alignment', weight: 1, bandwidth: 'median' },
  recordPrivacy,
];

function needsReference({ type }: SiloDefence): boolean {
  return ['distillation', 'adversarial', 'alignment', 'representation-alignment'].includes(type);
}

describe.each(defences)('$type', (silo) => {
  test('is repeatable, moves, and leaves what it was given alone', async () => {
    const task = taskOf(silo);
    const before = task.parameters.slice();
    const first = await trained(task);
    expect(await trained(task)).toEqual(first);
    expect(distance(first, task.parameters)).toBeGreaterThan(0);
    expect(task.parameters).toEqual(before);
  });

  test('without anybody gives the received model back, and with noise nothing but noise', async () => {
    const task = taskOf(silo, { users: new Int32Array(0) });
    const alone = await trained(task);
    if (silo.type !== 'record-dp-sgd') expect(alone).toEqual(task.parameters);
    else expect(distance(alone, task.parameters)).toBeGreaterThan(0);
  });

  test('what a mask prunes stays as it was received, and the rest moves', async () => {
    const task = taskOf(silo);
    const flags = Uint8Array.from(task.parameters, (_, i) => (i % 3 === 0 ? 0 : 1));
    const got = await trained({ ...task, mask: maskOf(flags) });
    const moved = got.map((value, i) => value - task.parameters[i]!);
    expect(moved.filter((value, i) => flags[i] === 0 && value !== 0)).toHaveLength(0);
    expect(norm(moved)).toBeGreaterThan(0);
  });

  test('users who were not drawn do not matter', async () => {
    const task = taskOf(silo);
    const { shard } = task;
    const features = shard.features.slice();
    // User 1 is a reference user, so only the defences that need such see her.
    const at = shard.userOffsets[1]! * shard.numFeatures;
    features.fill(0.77, at, at + shard.numFeatures);
    const other = await trained({ ...task, shard: { ...shard, features } });
    expect(distance(other, await trained(task)) > 0).toBe(needsReference(silo));
  });

  test('a record that the model cannot take is left out, and its user is not', async () => {
    const task = taskOf(silo);
    const { shard } = task;
    const row = shard.userOffsets[3]! - 1;
    const features = shard.features.slice();
    features[row * shard.numFeatures] = NaN;
    const trainer = await siloTrainer(spec, { provider: 'auto', backend: 'auto' });
    const result = await trainer.train({ ...task, shard: { ...shard, features } });
    expect(result.unusable).toBe(1);
    expect(result.parameters.every(Number.isFinite)).toBe(true);
  });

  test('what does not fit is refused', async () => {
    const task = taskOf(silo);
    const { shard, parameters } = task;
    const misfits = [
      { parameters: parameters.subarray(1) },
      { shard: { ...shard, numFeatures: 7 } },
      { users: Int32Array.of(2, 1) },
      { users: Int32Array.of(8) },
      { reference: Int32Array.of(5, 5) },
      { publicShard: { ...shard, numFeatures: 7 } },
      { mask: maskOf(new Uint8Array(3).fill(1)) },
    ];
    for (const misfit of misfits)
      await expect(trained({ ...task, ...misfit })).rejects.toMatchObject({ code: 'WRONG_SHAPE' });
    const tooMany = { ...shard, numClasses: 4 };
    for (const classes of [{ shard: tooMany }, { publicShard: tooMany }])
      await expect(trained({ ...task, ...classes })).rejects.toMatchObject({ code: 'MODEL_INVALID' });
  });
});

test.each(defences)(
  '$type takes public records, where a site has some, in place of reference users',
  async (silo) => {
    const task = taskOf(silo);
    const publicShard = selectUsers(task.shard, task.reference);
    const got = await trained({ ...task, publicShard, reference: new Int32Array(0) });
    expect(got).toEqual(await trained(task));
    const other = { ...publicShard, features: publicShard.features.map((value) => value + 1) };
    const moved = distance(await trained({ ...task, publicShard: other }), got);
    expect(moved > 0).toBe(needsReference(silo));
  },
);

test('what takes public records is refused where a site has none; others are not', async () => {
  for (const silo of defences) {
    const training = trained(taskOf(silo, { reference: new Int32Array(0) }));
    if (!needsReference(silo)) await training;
    else
      expect(await refusalOf(training)).toMatchObject({
        code: 'POLICY_REFUSED',
        message: expect.stringContaining(`${silo.type} needs public records`) as unknown,
      });
  }
});

test('distillation reads no label of its public records', async () => {
  const task = taskOf({ type: 'distillation', temperature: 1, keep: 1 });
  const { shard } = task;
  const labels = shard.labels.slice();
  labels.fill(0, shard.userOffsets[1], shard.userOffsets[2]);
  labels.fill(2, shard.userOffsets[5], shard.userOffsets[6]);
  expect(await trained({ ...task, shard: { ...shard, labels } })).toEqual(await trained(task));
});

test('of a single user nothing pulls: MIST is plain training on her', async () => {
  const alone = { users: Int32Array.of(4) };
  const all = LocalPlan.parse({ epochs: 2, batchSize: 'all', learningRate: 0.3 });
  const plan = (silo: SiloDefence): SiloTask => taskOf(silo, { ...alone, plan: { ...all, silo } });
  const pooled = await trained(plan({ type: 'pooled' }));
  expect(await trained(plan({ type: 'mist', groups: 3, weight: 9, pullEpochs: 2 }))).toEqual(pooled);
});
