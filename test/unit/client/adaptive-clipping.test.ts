import { describe, expect, test } from 'vitest';
import { participate } from '../../../client/participate.ts';
import type { LocalTrainer } from '../../../shared/model/local-trainer.ts';
import { localTrainer } from '../../../shared/model/trainer.ts';
import { sampledGaussian } from '../../../shared/privacy/accounting/event.ts';
import { rdpEpsilon } from '../../../shared/privacy/accounting/rdp-accountant.ts';
import { drawNoise } from '../../../shared/privacy/noise.ts';
import type { SummedUpdate } from '../../../shared/privacy/update.ts';
import { decodedUpdate } from '../../../shared/protocol/payloads.ts';
import { plannedEvent } from '../../../shared/protocol/plan.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { ClipNorm, NoiseMultiplier, SamplingRate, Seed } from '../../../shared/units.ts';
import {
  aPlan,
  aPolicy,
  aSite,
  noTrainer,
  run,
  tinyParams,
  trainerOf,
  userDp,
} from '../../support/a-site.ts';
import { refusalOf } from '../../support/temporary.ts';

const parameters = Float32Array.of(0.5, -1, 0.25);

describe('a release that counts the users within C', () => {
  // z / (2 sigma_b) = 0.6: the joint clip norm is C / 0.8, and a user's bit 0.6 of it.
  const protection = userDp({ adaptiveClipping: { bitStdDev: 1.25 } });
  const joint = ClipNorm.parse(0.25 / 0.8);
  const plan = aPlan({ protection: { ...protection, samplingRate: 1 } });
  const jointStep = joint * 2 ** -16;

  /** Everybody trains, with these norms and this sum. */
  const trainerWith = (norms: readonly number[], sum: readonly number[]): LocalTrainer => ({
    ...trainerOf(sum),
    clippedSum: (task) => {
      expect([...task.users.keys()]).toHaveLength(norms.length);
      expect(task.clipNorm).toBe(0.25);
      const result = { norms: Float64Array.from(norms), nonFinite: 0 };
      return Promise.resolve({ ...result, sum: Float64Array.from(sum) as SummedUpdate });
    },
  });

  async function counted(norms: readonly number[], canaries: readonly number[] = []): Promise<number[]> {
    const site = await aSite(norms.length, { canaries: new Set(canaries) });
    const { bytes } = await participate(plan, parameters, site, trainerWith(norms, [1, -2, 0.5]));
    const noise = drawNoise(
      seededRng(Seed.parse(7)).fork(`run ${run} round 4`).fork('noise'),
      tinyParams + 1,
      {
        clipNorm: joint,
        noiseMultiplier: NoiseMultiplier.parse(1.5),
      },
    );
    return [...decodedUpdate(bytes, tinyParams + 1)].map((value, index) => value - noise[index]!);
  }

  test('is the sum and, as one more coordinate, the count, on the grid of the joint clip norm', async () => {
    const onGrid = (value: number): number => Math.round(value / jointStep);
    const bit = 0.6 * joint;
    const update = [1, -2, 0.5].map(onGrid);
    expect(await counted([0.1, 0.2, 0.3])).toEqual([...update, onGrid(bit)]);
    expect(await counted([0.9, 0.9, 0.25, 1e9])).toEqual([...update, onGrid(-2 * bit)]);
    expect(await counted([0.1, 0.2, 0.3, 0.1], [0, 3])).toEqual([...update, 0]);
  });

  test('is recorded as what it is, and charged z', async () => {
    const site = await aSite(6);
    await participate(plan, parameters, site, trainerOf([0, 0, 0]));
    const [entry] = site.ledger.entries();
    expect(entry?.event).toEqual(plannedEvent(plan.protection));
    expect(entry?.event).toMatchObject({
      type: 'adaptive-clipping',
      updateNoiseMultiplier: expect.closeTo(1.5 / 0.8, 12) as number,
      quantileNoiseMultiplier: 2.5,
      samplingRate: 1,
    });
    const plain = sampledGaussian(NoiseMultiplier.parse(1.5), SamplingRate.parse(1));
    const delta = site.policy.delta;
    expect(rdpEpsilon(site.ledger.entries(), delta)).toBeCloseTo(
      rdpEpsilon([{ event: plain, count: 1 }], delta),
      9,
    );
  });

  test('is refused before training when the budget does not cover z', async () => {
    const site = await aSite(6, { policy: aPolicy({ maxEpsilon: 0.5 }) });
    const refusal = await refusalOf(participate(plan, parameters, site, noTrainer));
    expect(refusal).toMatchObject({ code: 'BUDGET_EXCEEDED' });
  });

  test('from an empty draw is noise in every coordinate', async () => {
    const trainer = await localTrainer(plan.model.spec, { provider: 'dense', backend: 'auto' });
    const site = await aSite(6, { trainable: new Int32Array(0) });
    const { bytes } = await participate(plan, parameters, site, trainer);
    expect(decodedUpdate(bytes, tinyParams + 1)).not.toContain(0);
    expect(site.ledger.entries()[0]?.count).toBe(1);
  });
});
