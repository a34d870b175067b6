import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { averaged } from '../../../coordinator/aggregate/averaging.ts';
import { storedModel } from '../../../coordinator/checkpoint.ts';
import { earlyStop } from '../../../coordinator/early-stopping.ts';
import { openStore } from '../../../coordinator/store/store.ts';
import type { RoundReport } from '../../../shared/protocol/report.ts';
import { aReport } from '../../support/a-report.ts';
import { aTinyRun, runTiny } from '../../support/a-run.ts';
import { figures, planned } from '../../support/heard-plans.ts';
import { refusalOf } from '../../support/temporary.ts';

const models = fc.integer({ min: 1, max: 5 }).chain((length) =>
  fc.array(fc.float32Array({ minLength: length, maxLength: length, noNaN: true, min: -9, max: 9 }), {
    minLength: 1,
    maxLength: 30,
  }),
);

function averageOf(rounds: readonly Float32Array[], decay: number): Float32Array {
  const initial = rounds[0]!.map(() => 1e6);
  return rounds.reduce((average, newest, i) => averaged(average, newest, { decay }, i + 1), initial);
}

function expectClose(got: Float32Array, wanted: readonly number[]): void {
  for (const [i, value] of wanted.entries()) expect(Math.abs(got[i]! - value)).toBeLessThan(1e-4);
}

describe('the average of models', () => {
  test('is their mean at decay 1 and the newest at decay 0, and the initial model has no part', () => {
    fc.assert(
      fc.property(models, (rounds) => {
        const mean = Array.from(rounds[0]!, (_, i) =>
          rounds.reduce((sum, model) => sum + model[i]! / rounds.length, 0),
        );
        expectClose(averageOf(rounds, 1), mean);
        // By ===, for which the zeros of either sign are one.
        const newest = averageOf(rounds, 0);
        expect(rounds.at(-1)!.every((value, i) => value === newest[i])).toBe(true);
      }),
    );
  });

  test('weighs the mean of the first 1 / (1 - decay) models, then each later one by powers of the decay', () => {
    fc.assert(
      fc.property(models, (rounds) => {
        const [early, later] = [rounds.slice(0, 4), rounds.slice(4)];
        const weight = (age: number): number => 0.25 * 0.75 ** age;
        const wanted = Array.from(rounds[0]!, (_, i) => {
          const mean = early.reduce((sum, model) => sum + model[i]! / early.length, 0);
          const rest = later.reduce((sum, model, n) => sum + weight(later.length - 1 - n) * model[i]!, 0);
          return 0.75 ** later.length * mean + rest;
        });
        expectClose(averageOf(rounds, 0.75), wanted);
      }),
    );
  });
});

function reportsWith(...values: number[]): RoundReport[] {
  return values.map((value, round) => {
    const report = aReport({ round });
    return { ...report, utility: { ...report.utility, value } };
  });
}

describe('early stopping', () => {
  test('waits for its patience after the best round, and says which that was', () => {
    const options = { patience: 2, minGain: 0 };
    expect(earlyStop([], options)).toBeUndefined();
    expect(earlyStop(reportsWith(0.6, 0.5), options)).toBeUndefined();
    expect(earlyStop(reportsWith(0.6, 0.5, 0.61, 0.4), options)).toBeUndefined();
    const reports = reportsWith(0.5, 0.6, 0.55, 0.6);
    expect(earlyStop(reports, options)).toContain(
      `since round 1, which had 0.6 (model ${reports[1]!.modelSha256})`,
    );
  });

  test('small gains do not count', () => {
    const reports = reportsWith(0.5, 0.505, 0.51, 0.515);
    expect(earlyStop(reports, { patience: 3, minGain: 0 })).toBeUndefined();
    expect(earlyStop(reports, { patience: 3, minGain: 0.05 })).toContain('since round 0');
  });

  test('a run ends as finished, and starting it again runs no more rounds', async () => {
    const run = aTinyRun({ rounds: 5, earlyStopping: { patience: 1, minGain: 1 } });
    const ended = await runTiny(run);
    expect(ended).toMatchObject({
      outcome: 'finished',
      detail: expect.stringMatching(/^stopped early/) as string,
    });
    expect(ended.reports.map(({ round }) => round)).toEqual([0, 1]);
    expect(ended.reports[0]?.defences).toEqual([{ type: 'early-stopping', class: 'server-side' }]);
    const again = await runTiny(run);
    expect(again).toMatchObject({ outcome: 'finished', reports: [] });
  });
});

describe('a run that averages', () => {
  const change = { rounds: 2, averaging: { decay: 0.5 } };

  test('trains on from its own models and hands over their average', async () => {
    const heard = new Map<number, string>();
    const run = aTinyRun({ ...change, rounds: 3 });
    const { reports } = await runTiny({ ...run, between: planned(heard) });
    const store = await openStore(run.directory);
    const parameters = (hash: RoundReport['modelSha256']): Float32Array =>
      storedModel(store, hash, run.federation!.model).parameters;
    const iterates = reports.map((report) => parameters(report.iterateSha256!));
    for (const [round, report] of reports.entries()) {
      if (round < 2) expect(heard.get(round + 1)).toBe(report.iterateSha256);
      const wanted = averageOf(iterates.slice(0, round + 1), 0.5);
      expectClose(parameters(report.modelSha256), [...wanted]);
      expect(report.defences).toEqual([{ type: 'averaging', class: 'server-side' }]);
    }
    expect(reports[2]!.modelSha256).not.toBe(reports[2]!.iterateSha256);
    await store.close();
  });

  test('has the models and the epsilon of a run that does not', async () => {
    const { reports } = await runTiny(aTinyRun(change));
    const plain = await runTiny(aTinyRun({ rounds: 2 }));
    expect(reports.map(({ iterateSha256 }) => iterateSha256)).toEqual(
      plain.reports.map(({ modelSha256 }) => modelSha256),
    );
    expect(reports.map(({ epsilon }) => epsilon)).toEqual(plain.reports.map(({ epsilon }) => epsilon));
  });

  test('goes on after a restart as if there had been none', async () => {
    const { reports } = await runTiny(aTinyRun(change));
    const stopped = aTinyRun(change);
    const abort = new AbortController();
    const onReport = (): void => {
      abort.abort();
    };
    expect(await refusalOf(runTiny({ ...stopped, abort, onReport }))).toMatchObject({ code: 'INTERRUPTED' });
    expect(figures((await runTiny(stopped)).reports)).toEqual(figures(reports.slice(1)));
  });

  test('is rolled back to an earlier version, and goes on from it', async () => {
    const leakage = [{ figure: 'user-auc', limit: 0, action: 'roll-back' }];
    const models = new Map<number, string>();
    const leaking = aTinyRun({ ...change, leakage, maxRollBacks: 1 });
    const { reports } = await runTiny({ ...leaking, between: planned(models) });
    expect(reports[0]?.rolledBackTo?.modelSha256).toBe(models.get(0));
    expect(models.get(1)).toBe(models.get(0));
    expect(reports[1]?.modelSha256).not.toBe(reports[1]?.iterateSha256);
  });
});
