import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { participate } from '../../../client/participate.ts';
import { trainableUsers } from '../../../client/site.ts';
import { localTrainer } from '../../../shared/model/trainer.ts';
import { roundsWithin } from '../../../shared/privacy/accounting/calibrate.ts';
import { sampledGaussian } from '../../../shared/privacy/accounting/event.ts';
import { drawNoise } from '../../../shared/privacy/noise.ts';
import { decodedUpdate } from '../../../shared/protocol/payloads.ts';
import type { Plan } from '../../../shared/protocol/plan.ts';
import { type Rng, secureRng, seededRng } from '../../../shared/random/rng.ts';
import { ClipNorm, Epsilon, NoiseMultiplier, SamplingRate, Seed } from '../../../shared/units.ts';
import {
  aPlan,
  aPolicy,
  aSite,
  noTrainer,
  type PlanChange,
  run,
  tinyParams,
  trainerOf,
  userDp,
} from '../../support/a-site.ts';
import { refusalOf } from '../../support/temporary.ts';

const parameters = Float32Array.of(0.5, -1, 0.25);
/** C * 2^-16, the step for so small a model. */
const step = 0.25 * 2 ** -16;
const none = { type: 'none', gridRange: 0.25, samplingRate: 0.5, delta: 1e-5 };
const unprotected = aPolicy({ allowUnprotected: true });

async function released(plan: Plan, sum: readonly number[], seed = 7): Promise<number[]> {
  const site = await aSite(8, { rng: seededRng(Seed.parse(seed)), policy: unprotected });
  const release = await participate(plan, parameters, site, trainerOf(sum));
  return [...decodedUpdate(release.bytes, tinyParams)];
}

describe('what a site refuses, it refuses before training', () => {
  const cases: readonly [string, string, Record<string, unknown>, PlanChange][] = [
    ['POLICY_REFUSED', 'minSites', { minSites: 3 }, {}],
    ['POLICY_REFUSED', 'allowUnprotected', {}, { protection: none }],
    ['BUDGET_EXCEEDED', 'its policy allows 0.5 and 0.000 is spent', { maxEpsilon: 0.5 }, {}],
  ];
  test.each(cases)('%s: %s', async (code, message, policy, plan) => {
    const site = await aSite(5, { policy: aPolicy(policy) });
    const refusal = await refusalOf(participate(aPlan(plan), parameters, site, noTrainer));
    expect(refusal).toMatchObject({ code, message: expect.stringContaining(message) as unknown });
    expect(site.ledger.entries()).toEqual([]);
  });

  test('takes part while the budget lasts, and not one round longer', async () => {
    const event = sampledGaussian(NoiseMultiplier.parse(1.5), SamplingRate.parse(0.5));
    const policy = aPolicy({ maxEpsilon: 4 });
    const affordable = roundsWithin({ epsilon: Epsilon.parse(4), delta: policy.delta, entries: [], event });
    const site = await aSite(5, { policy });
    const trainer = trainerOf([0, 0, 0]);
    for (let round = 0; round < affordable; round++)
      await participate(aPlan({ round }), parameters, site, trainer);
    expect(affordable).toBeGreaterThan(1);
    expect(site.ledger.entries()).toEqual([{ event, count: affordable }]);
    const refusal = await refusalOf(participate(aPlan({ round: affordable }), parameters, site, noTrainer));
    expect(refusal).toMatchObject({ code: 'BUDGET_EXCEEDED' });
    expect(site.ledger.entries()).toEqual([{ event, count: affordable }]);
  });

  test('after a release without noise no budget is left for anything', async () => {
    const site = await aSite(5, { policy: unprotected });
    await participate(aPlan({ round: 0, protection: none }), parameters, site, trainerOf([0, 0, 0]));
    expect(site.ledger.entries()).toEqual([{ event: { type: 'non-private' }, count: 1 }]);
    const refusal = await refusalOf(participate(aPlan({ round: 1 }), parameters, site, noTrainer));
    expect(refusal).toMatchObject({ code: 'BUDGET_EXCEEDED' });
  });
});

describe('a round is released once', () => {
  test('a real site declines a plan without a tick; a simulated one answers at once', async () => {
    const plan = aPlan({ answerAfterMs: 0 });
    const real = await aSite(6, { rng: secureRng() });
    const refusal = await refusalOf(participate(plan, parameters, real, noTrainer));
    expect(refusal).toMatchObject({
      code: 'POLICY_REFUSED',
      message: expect.stringContaining('answerAfterMs') as string,
    });
    expect(real.ledger.entries()).toEqual([]);
    const simulated = await aSite(6);
    await participate(plan, parameters, simulated, trainerOf([0, 0, 0]));
    expect(simulated.ledger.entries()).toHaveLength(1);
  });

  test('the same plan again gives the same bytes and one entry, without training, even with a secure stream', async () => {
    const site = await aSite(6, { rng: secureRng() });
    const first = await participate(aPlan(), parameters, site, trainerOf([1, 2, 3]));
    const head = site.ledger.head();
    const again = await participate(aPlan(), parameters, site, noTrainer);
    expect(again.bytes).toEqual(first.bytes);
    expect(again).toEqual(first);
    expect([site.ledger.head(), site.ledger.entries()[0]?.count]).toEqual([head, 1]);
  });

  test('the same plan again is answered even when policy or budget have changed since', async () => {
    const site = await aSite(6);
    const first = await participate(aPlan(), parameters, site, trainerOf([1, 2, 3]));
    const stricter = { ...site, policy: aPolicy({ maxEpsilon: 0.01, minSites: 9 }) };
    expect(await participate(aPlan(), parameters, stricter, noTrainer)).toEqual(first);
  });

  test.each<[string, PlanChange]>([
    ['another noise multiplier', { protection: userDp({ noiseMultiplier: 2 }) }],
    ['another learning rate', { local: { learningRate: 0.5 } }],
    ['another quorum', { minSites: 3 }],
  ])('%s for the same round is refused', async (_what, change) => {
    const site = await aSite(6);
    await participate(aPlan(), parameters, site, trainerOf([0, 0, 0]));
    const refusal = await refusalOf(participate(aPlan(change), parameters, site, noTrainer));
    expect(refusal).toMatchObject({
      code: 'EQUIVOCATION',
      message: expect.stringContaining('run run-1, round 4') as unknown,
    });
    expect(site.ledger.entries()[0]?.count).toBe(1);
  });
});

describe('what is released', () => {
  const small = fc.double({ min: -3, max: 3, noNaN: true });

  test('is the sum on the grid and the noise of the round', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(small, small, small),
        fc.integer({ min: 1, max: 9999 }),
        async (sum, seed) => {
          const rng = seededRng(Seed.parse(seed)).fork(`run ${run} round 4`).fork('noise');
          const noise = drawNoise(rng, tinyParams, {
            clipNorm: ClipNorm.parse(0.25),
            noiseMultiplier: NoiseMultiplier.parse(1.5),
          });
          const expected = sum.map((value, index) => Math.round(value / step) + noise[index]!);
          expect(await released(aPlan(), sum, seed)).toEqual(expected);
        },
      ),
      { numRuns: 15 },
    );
  });

  test('of two sums differs by what they differ in, to the last bit', async () => {
    const [one, two] = [await released(aPlan(), [0, 0, 0]), await released(aPlan(), [0.5, -0.125, 2])];
    expect(two.map((value, index) => value - one[index]!)).toEqual([131072, -32768, 524288]);
  });

  test('has other noise in every round and at every site', async () => {
    const drawn = await Promise.all([
      released(aPlan(), [0, 0, 0]),
      released(aPlan({ round: 5 }), [0, 0, 0]),
      released(aPlan(), [0, 0, 0], 8),
    ]);
    expect(new Set(drawn.map(String)).size).toBe(3);
  });

  test('under no protection is the sum on the grid alone', async () => {
    expect(await released(aPlan({ protection: none }), [0.5, -0.125, 2])).toEqual([131072, -32768, 524288]);
  });

  test.each([0.5, 1])('at sampling rate %d is recorded as it is accounted', async (samplingRate) => {
    const site = await aSite(6);
    const trainer = trainerOf([0, 0, 0]);
    await participate(aPlan({ protection: userDp({ samplingRate }) }), parameters, site, trainer);
    const sampled = { type: 'poisson-subsampled-gaussian', noiseMultiplier: 1.5, samplingRate };
    const event = samplingRate === 1 ? { type: 'gaussian', noiseMultiplier: 1.5 } : sampled;
    expect(site.ledger.entries()).toEqual([{ event, count: 1 }]);
    expect(trainer.tasks[0]).toMatchObject({ clipNorm: 0.25, round: 4, plan: aPlan().local, parameters });
    if (samplingRate === 1) expect(trainer.tasks[0]?.users).toEqual(site.trainable);
  });

  test('from an empty draw is noise, and costs what any release costs', async () => {
    const trainer = await localTrainer(aPlan().model.spec, { provider: 'dense', backend: 'auto' });
    const site = await aSite(6, { trainable: new Int32Array(0) });
    const { bytes } = await participate(aPlan(), parameters, site, trainer);
    expect([...decodedUpdate(bytes, tinyParams)]).toEqual(await released(aPlan(), [0, 0, 0]));
    expect(decodedUpdate(bytes, tinyParams)).not.toContain(0);
    expect(site.ledger.entries()[0]?.count).toBe(1);
  });
});

describe('who trains, and when', () => {
  test('held-out and reference users never reach the trainer, all others do at some time', async () => {
    const site = await aSite(12, { policy: unprotected });
    const roles = { users: Int32Array.of(0, 3, 7, 11), roles: Int32Array.of(0, 1, 2, 1) };
    const trainer = trainerOf([0, 0, 0]);
    const trainable = trainableUsers(site.shard, roles);
    for (let round = 0; round < 20; round++)
      await participate(aPlan({ round, protection: none }), parameters, { ...site, trainable }, trainer);
    const drawn = trainer.tasks.flatMap(({ users }) => [...users]);
    // A user misses twenty fair draws with probability 1e-6.
    expect([...new Set(drawn)].sort((a, b) => a - b)).toEqual([0, 1, 2, 4, 5, 6, 8, 9, 10]);
    for (const { users } of trainer.tasks) expect(users).toEqual(users.toSorted());
  });

  test('noise is drawn before the users are, and both before the data are touched', async () => {
    const log: string[] = [];
    const trainer = trainerOf([0, 0, 0]);
    const site = await aSite(8, { rng: watched(seededRng(Seed.parse(7)), 'site', log) });
    await participate(aPlan(), parameters, site, {
      ...trainer,
      clippedSum: (task) => {
        log.push('trainer');
        task.rng.uint32();
        return trainer.clippedSum(task);
      },
    });
    expect(log).toEqual(['noise', 'draw', 'canary draw', 'trainer', 'training']);
  });

  test('a trainer that fails leaves no entry, and the round can be tried again', async () => {
    const site = await aSite(6);
    await refusalOf(participate(aPlan(), parameters, site, noTrainer));
    expect(site.ledger.entries()).toEqual([]);
    await participate(aPlan(), parameters, site, trainerOf([0, 0, 0]));
    expect(site.ledger.entries()[0]?.count).toBe(1);
  });
});

/** A stream that writes down the label of the fork that is drawn from. */
function watched(rng: Rng, label: string, log: string[]): Rng {
  const drawn = <T>(value: T): T => {
    if (log.at(-1) !== label) log.push(label);
    return value;
  };
  return {
    kind: rng.kind,
    uint32: () => drawn(rng.uint32()),
    ahead: () => drawn(rng.ahead()),
    skip: (count) => {
      rng.skip(count);
    },
    uniform: () => drawn(rng.uniform()),
    bytes: (length) => drawn(rng.bytes(length)),
    fork: (fork) => watched(rng.fork(fork), fork, log),
  };
}
