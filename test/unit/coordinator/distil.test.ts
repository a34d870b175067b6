import { describe, expect, test } from 'vitest';
import { storedModel } from '../../../coordinator/checkpoint.ts';
import { protectionOf } from '../../../coordinator/config.ts';
import { openStore } from '../../../coordinator/store/store.ts';
import { numUsers, type Shard } from '../../../shared/data/shard.ts';
import { aFederationConfig, aTinyRun, publicShard, runTiny } from '../../support/a-run.ts';
import { figures, planned } from '../../support/heard-plans.ts';
import { refusalOf } from '../../support/temporary.ts';

/** Logistic regression taught by another one's softened answers, in one step on all records, by hand. */
function taught(student: Float32Array, teacher: Float32Array, shard: Shard, temperature: number): number[] {
  const answer = ([a = 0, b = 0, bias = 0]: Float32Array, row: number): number => {
    const [x = 0, y = 0] = shard.features.subarray(2 * row, 2 * row + 2);
    return 1 / (1 + Math.exp(-(a * x + b * y + bias) / temperature));
  };
  const slopes = [0, 0, 0];
  for (const row of shard.labels.keys()) {
    const off = (temperature * (answer(student, row) - answer(teacher, row))) / shard.labels.length;
    [...shard.features.subarray(2 * row, 2 * row + 2), 1].forEach((x, i) => (slopes[i]! += off * x));
  }
  return slopes.map((slope, i) => student[i]! - 0.7 * slope);
}

describe('a run that distils', () => {
  const distillation = { temperature: 3, batchSize: 'all', learningRate: 0.7 };
  const change = { rounds: 2, distillation };
  const library = (users?: number) => ({ publicShard: () => publicShard(users) });

  test('trains on from its own models and hands over what their answers teach', async () => {
    const run = aTinyRun({ ...change, rounds: 3 });
    const { reports } = await runTiny({ ...run, ...library() });
    const plain = await runTiny(aTinyRun({ rounds: 3 }));
    expect(reports.map(({ iterateSha256 }) => iterateSha256)).toEqual(
      plain.reports.map(({ modelSha256 }) => modelSha256),
    );
    expect(reports.map(({ epsilon }) => epsilon)).toEqual(plain.reports.map(({ epsilon }) => epsilon));
    const store = await openStore(run.directory);
    const { initialModelSha256, publicRecords } = (await store.manifest())!;
    const shard = await publicShard();
    expect(publicRecords?.numRecords).toBe(shard.labels.length);
    let before = initialModelSha256;
    for (const { iterateSha256, modelSha256, defences } of reports) {
      const [start, teacher, student] = [before, iterateSha256!, modelSha256].map(
        (hash) => storedModel(store, hash, run.federation!.model).parameters,
      );
      for (const [i, value] of taught(start!, teacher!, shard, 3).entries())
        expect(Math.abs(student![i]! - value)).toBeLessThan(1e-6);
      expect(student!.some((value, i) => Math.abs(value - start![i]!) > 1e-3)).toBe(true);
      expect(defences).toEqual([{ type: 'server-distillation', class: 'server-side' }]);
      before = modelSha256;
    }
    await store.close();
  });

  test('goes on after a restart as if there had been none, with the same public records only', async () => {
    const shuffled = { ...change, distillation: { learningRate: 0.7, batchSize: 5, epochs: 2, keep: 0.8 } };
    const { reports } = await runTiny({ ...aTinyRun(shuffled), ...library() });
    const stopped = aTinyRun(shuffled);
    const abort = new AbortController();
    const onReport = (): void => {
      abort.abort();
    };
    const interrupted = runTiny({ ...stopped, ...library(), abort, onReport });
    expect(await refusalOf(interrupted)).toMatchObject({ code: 'INTERRUPTED' });
    expect(await refusalOf(runTiny({ ...stopped, ...library(30) }))).toMatchObject({
      code: 'RUN_MISMATCH',
      message: expect.stringContaining('other public records') as unknown,
    });
    expect(figures((await runTiny({ ...stopped, ...library() })).reports)).toEqual(figures(reports.slice(1)));
  });

  test('is rolled back to an earlier version, and student and training go on from it', async () => {
    const leakage = [{ figure: 'user-auc', limit: 0, action: 'roll-back' }];
    const models = new Map<number, string>();
    const leaking = aTinyRun({ ...change, leakage, maxRollBacks: 1 });
    const { reports } = await runTiny({ ...leaking, ...library(), between: planned(models) });
    expect(reports[0]?.rolledBackTo?.modelSha256).toBe(models.get(0));
    expect(models.get(1)).toBe(models.get(0));
    expect(reports[1]?.modelSha256).not.toBe(reports[1]?.iterateSha256);
  });

  test('is refused without public records that fit, and beside averaging', async () => {
    const shard = await publicShard();
    const nothing = { ...shard, features: shard.features.map(() => NaN) };
    expect(numUsers(nothing)).toBe(24);
    for (const [given, code, reason] of [
      [undefined, 'CONFIG_INVALID', 'name a publicTable'],
      [() => Promise.resolve({ ...shard, numFeatures: 3 }), 'WRONG_SHAPE', 'makes 3 features'],
      [() => Promise.resolve(nothing), 'CONFIG_INVALID', 'no record that the model can take'],
    ] as const)
      expect(
        await refusalOf(runTiny({ ...aTinyRun(change), ...(given && { publicShard: given }) })),
      ).toMatchObject({
        code,
        message: expect.stringContaining(reason) as unknown,
      });
    expect(() => protectionOf(aFederationConfig({ ...change, averaging: {} }))).toThrow(
      'leave out one of them',
    );
  });
});
