import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { participate } from '../../../client/participate.ts';
import { interpreted } from '../../../shared/privacy/accounting/interpret.ts';
import { squareRootMatrix } from '../../../shared/privacy/banded-matrix.ts';
import { matrixSensitivity } from '../../../shared/privacy/banded-sensitivity.ts';
import { decodedUpdate } from '../../../shared/protocol/payloads.ts';
import { secureRng, seededRng } from '../../../shared/random/rng.ts';
import { RoundIndex, Seed } from '../../../shared/units.ts';
import {
  aLedger,
  aPlan,
  aPolicy,
  aSite,
  noTrainer,
  run,
  tinyParams,
  trainerOf,
} from '../../support/a-site.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';

const parameters = Float32Array.of(0.5, -1, 0.25);
const rounds = 10;
const matrix = squareRootMatrix({ rounds, minSeparation: 4, bands: 3 });
const protection = {
  ...{ type: 'user-dp-banded', mode: 'local', clipNorm: 0.25, delta: 1e-5 },
  ...{ noiseMultiplier: 3, matrix },
};
const empty = [0, 0, 0];

describe('rounds under a banded matrix', () => {
  test('each user takes part in every fourth round, at most as often as the matrix allows', async () => {
    const site = await aSite(40, { rng: secureRng() });
    const trainer = trainerOf(empty);
    for (let round = 0; round < rounds; round++)
      await participate(aPlan({ round, protection }), parameters, site, trainer);
    const rounds_ = new Map<number, number[]>();
    for (const [round, { users }] of trainer.tasks.entries())
      for (const user of users) rounds_.set(user, [...(rounds_.get(user) ?? []), round]);
    expect(rounds_.size).toBe(40);
    for (const [first = 0, ...later] of rounds_.values()) {
      const expected = Array.from({ length: rounds }, (_, round) => round).filter((r) => r % 4 === first % 4);
      expect([first, ...later]).toEqual(expected);
    }
  });

  test('the first release pays for the run, and the ledger covers every later one', async () => {
    const site = await aSite(8, { rng: secureRng() });
    for (let round = 2; round < rounds; round++)
      await participate(aPlan({ round, protection }), parameters, site, trainerOf(empty));
    const charged = interpreted(site.ledger.entries());
    expect(charged).toEqual([{ noiseMultiplier: 3 / matrixSensitivity(matrix), samplingRate: 1, count: 1 }]);
    expect(site.ledger.entries().map(({ event, count }) => [event.type, count])).toEqual([
      ['banded-matrix', 1],
      ['banded-matrix-step', 7],
    ]);
  });

  test('a restart in the middle goes on with the same noise, and with the same groups', async () => {
    const releases = async (restart: boolean): Promise<number[][]> => {
      const path = join(temporaryFolder(), 'ledger.sqlite');
      const rng = seededRng(Seed.parse(11));
      let site = await aSite(8, { rng, ledger: await aLedger(path) });
      const sent: number[][] = [];
      for (let round = 0; round < rounds; round++) {
        if (restart && round % 3 === 2) {
          await site.ledger.close();
          site = await aSite(8, { rng, ledger: await aLedger(path) });
        }
        const plan = aPlan({ round, protection });
        const { bytes } = await participate(plan, parameters, site, trainerOf(empty));
        sent.push([...decodedUpdate(bytes, tinyParams)]);
      }
      return sent;
    };
    expect(await releases(true)).toEqual(await releases(false));
  });

  test('is refused over budget and under the least noise before anything is drawn, by what the whole run is charged', async () => {
    const poor = await aSite(8, { policy: aPolicy({ maxEpsilon: 0.5 }) });
    const plan = aPlan({ round: 0, protection });
    expect(await refusalOf(participate(plan, parameters, poor, noTrainer))).toMatchObject({
      code: 'BUDGET_EXCEEDED',
    });
    const careful = await aSite(8, { policy: aPolicy({ minNoiseMultiplier: 1.5 }) });
    expect(await refusalOf(participate(plan, parameters, careful, noTrainer))).toMatchObject({
      code: 'POLICY_REFUSED',
      message: expect.stringContaining('minNoiseMultiplier 1.5') as unknown,
    });
    expect(await poor.ledger.noiseState(run)).toBeUndefined();
  });

  test('no row of noise is used twice: a round that was passed is refused', async () => {
    const site = await aSite(8, { rng: secureRng() });
    await participate(aPlan({ round: 3, protection }), parameters, site, trainerOf(empty));
    const refusal = await refusalOf(
      participate(aPlan({ round: 2, protection }), parameters, site, noTrainer),
    );
    expect(refusal).toMatchObject({ code: 'POLICY_REFUSED' });
    expect(await site.ledger.release(run, RoundIndex.parse(2))).toBeUndefined();
  });
});
