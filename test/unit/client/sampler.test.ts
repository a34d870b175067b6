import { describe, expect, test } from 'vitest';
import { participate } from '../../../client/participate.ts';
import { localTrainer } from '../../../shared/model/trainer.ts';
import { sampledGaussian } from '../../../shared/privacy/accounting/event.ts';
import { squareRootMatrix } from '../../../shared/privacy/banded-matrix.ts';
import { gridStep } from '../../../shared/privacy/grid.ts';
import { drawNoise } from '../../../shared/privacy/noise.ts';
import { checkRelease } from '../../../shared/privacy/noise-check.ts';
import { decodedUpdate } from '../../../shared/protocol/payloads.ts';
import { type Rng, seededRng } from '../../../shared/random/rng.ts';
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
const half = SamplingRate.parse(0.5);

describe('a site that draws its noise as a discrete Gaussian', () => {
  const sampler = 'discrete-gaussian';
  const clipNorm = ClipNorm.parse(0.25);
  const wide = { model: { inputShape: [199] } };
  const sum = Array.from({ length: 200 }, (_, index) => Math.sin(index));

  test.each([0.02, 1.5, 1000])(
    'releases the sum and that noise, which passes both checks: z = %d',
    async (z) => {
      const noiseMultiplier = NoiseMultiplier.parse(z);
      const policy = aPolicy({ minNoiseMultiplier: 0.001, maxEpsilon: 1e9 });
      const site = await aSite(6, { sampler, policy });
      const plan = aPlan({ ...wide, protection: userDp({ noiseMultiplier }) });
      const { bytes } = await participate(plan, new Float32Array(200), site, trainerOf(sum));
      const update = decodedUpdate(bytes, 200);
      const rng = seededRng(Seed.parse(7)).fork(`run ${run} round 4`).fork('noise');
      const noise = drawNoise(rng, 200, { clipNorm, noiseMultiplier, sampler });
      const exact = sum.map((value) => Math.round(value / gridStep(clipNorm, 200)));
      expect([...update]).toEqual(exact.map((value, index) => value + noise[index]!));
      // As strong as 60 aligned users' updates.
      const known = { clipNorm, noiseMultiplier, maxDrawnUsers: 60, tensors: [199, 1] };
      expect(() => checkRelease(update, known)).not.toThrow();
      expect(site.ledger.entries()).toEqual([{ event: sampledGaussian(noiseMultiplier, half), count: 1 }]);
    },
  );

  test('counts the users within C with the same noise', async () => {
    const site = await aSite(6, { sampler, trainable: new Int32Array(0) });
    const protection = userDp({ adaptiveClipping: { bitStdDev: 1.25 } });
    const trainer = await localTrainer(aPlan().model.spec, { provider: 'dense', backend: 'auto' });
    const { bytes } = await participate(aPlan({ protection }), parameters, site, trainer);
    const rng = seededRng(Seed.parse(7)).fork(`run ${run} round 4`).fork('noise');
    const options = {
      clipNorm: ClipNorm.parse(0.25 / 0.8),
      noiseMultiplier: NoiseMultiplier.parse(1.5),
      sampler,
    };
    expect([...decodedUpdate(bytes, tinyParams + 1)]).toEqual([
      ...drawNoise(rng, tinyParams + 1, { ...options, sampler }),
    ]);
  });

  const banded = {
    ...{ type: 'user-dp-banded', mode: 'local', clipNorm: 0.25, noiseMultiplier: 3, delta: 1e-5 },
    matrix: squareRootMatrix({ rounds: 8, minSeparation: 4, bands: 3 }),
  };
  test.each<[string, Record<string, unknown>]>([
    ['more than 2^40 grid units', userDp({ noiseMultiplier: 2 ** 24.01, samplingRate: 1 })],
    ['less than 2^-20 grid units', userDp({ noiseMultiplier: 2 ** -36.01 })],
    ['correlated noise', banded],
  ])(
    'declines %s before anything is drawn; with rounded noise the site does not',
    async (_what, protection) => {
      const policy = aPolicy({ minNoiseMultiplier: 1e-12, maxEpsilon: Number.MAX_VALUE });
      const plan = aPlan({ round: 0, protection });
      const site = await aSite(6, { sampler, policy, rng: untouched });
      expect(await refusalOf(participate(plan, parameters, site, noTrainer))).toMatchObject({
        code: 'POLICY_REFUSED',
        message: expect.stringContaining('noise.sampler discrete-gaussian') as unknown,
      });
      expect(site.ledger.entries()).toEqual([]);
      const rounding = await aSite(6, { sampler: 'rounded-gaussian', policy });
      expect(await refusalOf(participate(plan, parameters, rounding, noTrainer))).toMatchObject({
        message: expect.not.stringContaining('noise.sampler') as unknown,
      });
    },
  );
});

/** A stream that must not be drawn from. */
const untouched: Rng = {
  kind: 'seeded',
  ...{ uint32: touched, ahead: touched, skip: touched, uniform: touched, bytes: touched },
  fork: () => untouched,
};

function touched(): never {
  throw new Error('drawn although the plan was to be refused');
}
