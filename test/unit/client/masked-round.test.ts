import { describe, expect, test } from 'vitest';
import { modelCache } from '../../../client/models.ts';
import { participate } from '../../../client/participate.ts';
import type { Site } from '../../../client/site.ts';
import { sha256 } from '../../../shared/crypto/encoding.ts';
import { maskOf, type ParameterMask } from '../../../shared/model/mask.ts';
import { alongDirection, canaryDirection } from '../../../shared/privacy/canary-direction.ts';
import { decodedMask, encodedMask, maskBytes } from '../../../shared/protocol/mask-payload.ts';
import { decodedUpdate } from '../../../shared/protocol/payloads.ts';
import { type Plan, releaseShape } from '../../../shared/protocol/plan.ts';
import { encodeTensors } from '../../../shared/protocol/safetensors.ts';
import { SiteId } from '../../../shared/units.ts';
import { aPlan, aSite, noTrainer, run, tinyParams, trainerOf, userDp } from '../../support/a-site.ts';
import { refusalOf } from '../../support/temporary.ts';

const parameters = new Float32Array(tinyParams);
const mask = maskOf(Uint8Array.of(1, 0, 1));

function planned(mask: ParameterMask, protection = userDp()): Plan {
  const bytes = encodedMask(mask);
  return {
    ...aPlan({ protection }),
    mask: { sha256: sha256(bytes), sizeBytes: bytes.length, kept: mask.kept },
  };
}

async function released(plan: Plan, change: Partial<Site>, sum: number[]): Promise<number[]> {
  const site = await aSite(10, { mask, ...change });
  const { bytes } = await participate(plan, parameters, site, trainerOf(sum));
  const { numCoordinates, gridStep } = releaseShape(plan.protection, mask.kept);
  return [...decodedUpdate(bytes, numCoordinates)].map((value) => value * gridStep);
}

describe('a round under a mask', () => {
  test('trains under it, and releases the kept parameters alone, each with its noise', async () => {
    const site = await aSite(10, { mask });
    const trainer = trainerOf([0.5, 0, -0.25]);
    await participate(planned(mask), parameters, site, trainer);
    expect(trainer.tasks[0]?.mask).toBe(mask);
    const [one, zero] = [
      await released(planned(mask), {}, [0.5, 0, -0.25]),
      await released(planned(mask), {}, [0, 0, 0]),
    ];
    expect(one).toHaveLength(2);
    expect(one.map((value, i) => value - zero[i]!)).toEqual([0.5, -0.25]);
    expect(zero.every((noise) => noise !== 0)).toBe(true);
  });

  test('has the count of users within C after the kept parameters', async () => {
    const adaptive = userDp({ adaptiveClipping: { bitStdDev: 4 } });
    expect(await released(planned(mask, adaptive), {}, [0.5, 0, -0.25])).toHaveLength(3);
  });

  test("puts canaries' directions into the kept parameters, with norm C there", async () => {
    const everyRound = userDp({ samplingRate: 1 });
    const name = SiteId.parse('north');
    const directions = { site: name, coins: Int32Array.of(0) };
    const plan = planned(mask, everyRound);
    const [own, without] = [
      await released(plan, { directions }, [0, 0, 0]),
      await released(plan, {}, [0, 0, 0]),
    ];
    const added = own.map((value, i) => value - without[i]!);
    const along = alongDirection(canaryDirection({ run, site: name, canary: 0 }, mask.kept), added);
    expect(along).toBeCloseTo(0.25, 4);
    expect(Math.hypot(...added)).toBeCloseTo(0.25, 4);
  });

  test.each([
    ['without the mask that the plan keeps', planned(mask), undefined],
    ['with one that the plan does not have', aPlan(), mask],
    ['with one that keeps fewer', planned(mask), maskOf(Uint8Array.of(1, 0, 0))],
  ])('%s is refused before anything is drawn or trained', async (_, plan, own) => {
    const site = await aSite(10, { mask: own });
    expect(await refusalOf(participate(plan, parameters, site, noTrainer))).toMatchObject({
      code: 'WRONG_SHAPE',
    });
    expect(site.ledger.records()).toEqual([]);
  });
});

describe('the file of a mask', () => {
  const choice = { provider: 'auto', backend: 'auto' } as const;
  const ignored = (): void => undefined;

  test('gives it back, in an eighth of a byte for each parameter', () => {
    for (const length of [1, 31, 32, 33, 1000]) {
      const own = maskOf(Uint8Array.from({ length }, (_, i) => (i % 3 === 1 || i === length - 1 ? 1 : 0)));
      const bytes = encodedMask(own);
      expect(bytes).toHaveLength(maskBytes(length));
      expect(decodedMask(bytes, length, own.kept)).toEqual(own);
    }
    expect(maskBytes(8_000_000) - 1_000_000).toBeLessThan(200);
  });

  test('that is anything else is refused', () => {
    const words = (...own: number[]): Uint8Array =>
      encodeTensors([{ name: 'mask', dtype: 'I32', shape: [own.length], data: Int32Array.from(own) }]);
    for (const [bytes, kept] of [
      [words(5), 3],
      [words(5, 0), 2],
      [words(0), 0],
      [words(13), 2],
      [new Uint8Array(9), 2],
    ] as const)
      expect(() => decodedMask(bytes, 3, kept)).toThrow(expect.objectContaining({ code: 'WRONG_SHAPE' }));
    expect(decodedMask(words(5), 3, 2)).toEqual(mask);
  });

  test('is fetched once, and only at its exact size', async () => {
    let fetched = 0;
    const models = modelCache(
      () => {
        fetched += 1;
        return Promise.resolve(encodedMask(mask));
      },
      choice,
      ignored,
    );
    const plan = planned(mask);
    expect(await models.mask(plan)).toEqual(mask);
    expect(await models.mask(plan)).toBe(await models.mask(plan));
    expect(await models.mask(aPlan())).toBeUndefined();
    expect(fetched).toBe(1);
    const large = { ...plan, mask: { ...plan.mask!, sha256: sha256('other'), sizeBytes: 1_000_000 } };
    expect(await refusalOf(models.mask(large))).toMatchObject({ code: 'MODEL_INVALID' });
    expect(fetched).toBe(1);
  });
});
