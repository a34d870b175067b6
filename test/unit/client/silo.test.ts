import { describe, expect, test } from 'vitest';
import { participate } from '../../../client/participate.ts';
import { wholeSite } from '../../../client/silo.ts';
import type { SiloTask, SiloTrainer } from '../../../shared/model/silo/silo-trainer.ts';
import { siloTrainer } from '../../../shared/model/silo/train-site.ts';
import { gridStep } from '../../../shared/privacy/grid.ts';
import { decodedUpdate } from '../../../shared/protocol/payloads.ts';
import { ClipNorm } from '../../../shared/units.ts';
import { aPlan, aPolicy, aSite, tinyParams } from '../../support/a-site.ts';

const protection = { type: 'none', gridRange: 16, samplingRate: 1, delta: 1e-5 };
const plan = aPlan({ local: { silo: { type: 'pooled' } }, protection });
const policy = aPolicy({ allowUnprotected: true, allowedDefences: ['pooled'] });
const received = Float32Array.of(0.5, -1, 0.25);

/** Answers with the given parameters, and keeps what it was asked. */
function answering(parameters: readonly number[]): SiloTrainer & { readonly tasks: SiloTask[] } {
  const tasks: SiloTask[] = [];
  return {
    provider: 'dense',
    description: 'parameters of a test',
    tasks,
    train: (task) => {
      tasks.push(task);
      return Promise.resolve({ parameters: Float32Array.from(parameters), unusable: 0 });
    },
  };
}

describe("a site's one update", () => {
  test('counts for its public weight, whoever was drawn, and costs the promise', async () => {
    const site = await aSite(6, { policy, trainable: Int32Array.of(0, 2, 3) });
    const trainer = answering([1, -1, 0]);
    const facts = { weight: 45, reference: Int32Array.of(1), publicShard: site.shard };
    const { bytes } = await participate(plan, received, site, wholeSite(trainer, facts));
    const step = gridStep(ClipNorm.parse(16), tinyParams);
    expect([...decodedUpdate(bytes, tinyParams)].map((value) => value * step)).toEqual([22.5, 0, -11.25]);
    const { shard: publicShard } = site;
    const asked = { users: Int32Array.of(0, 2, 3), reference: Int32Array.of(1), publicShard };
    expect(trainer.tasks[0]).toMatchObject(asked);
    expect(site.ledger.entries()).toEqual([{ event: { type: 'non-private' }, count: 1 }]);
  });

  test('is zero where training diverged', async () => {
    for (const bad of [NaN, Infinity]) {
      const site = await aSite(3, { policy });
      const facts = { weight: 3, reference: new Int32Array(0), publicShard: undefined };
      const { bytes } = await participate(plan, received, site, wholeSite(answering([0, bad, 0]), facts));
      expect([...decodedUpdate(bytes, tinyParams)]).toEqual([0, 0, 0]);
    }
  });

  test('of equal sites, divided by the public denominator, is the mean of their models', async () => {
    const trainer = await siloTrainer(plan.model.spec, { provider: 'auto', backend: 'auto' });
    const [one, other] = [await aSite(6, { policy }), await aSite(9, { policy })];
    const step = gridStep(ClipNorm.parse(16), tinyParams);
    const sum = new Float64Array(tinyParams);
    const models = await Promise.all(
      [one, other].map(async (site, index) => {
        const weight = [6, 9][index] ?? 0;
        const facts = { weight, reference: new Int32Array(0), publicShard: undefined };
        const { bytes } = await participate(plan, received, site, wholeSite(trainer, facts));
        decodedUpdate(bytes, tinyParams).forEach((value, i) => (sum[i] = (sum[i] ?? 0) + value * step));
        const users = site.trainable;
        const task = { parameters: received, shard: site.shard, users, reference: new Int32Array(0) };
        const rng = site.rng.fork('run run-1 round 4').fork('training');
        return (await trainer.train({ ...task, plan: { ...plan.local, silo: { type: 'pooled' } }, rng }))
          .parameters;
      }),
    );
    for (let i = 0; i < tinyParams; i++) {
      const mean = (6 * models[0]![i]! + 9 * models[1]![i]!) / 15;
      expect(received[i]! + sum[i]! / 15).toBeCloseTo(mean, 4);
    }
  });
});
