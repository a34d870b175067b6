import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { noRollBacks, rollBacksAfter, withinRollBacks } from '../../../coordinator/roll-back.ts';
import { openStore } from '../../../coordinator/store/store.ts';
import { sha256 } from '../../../shared/crypto/encoding.ts';
import type { RoundReport } from '../../../shared/protocol/report.ts';
import { aReport } from '../../support/a-report.ts';
import { aFederationConfig, runTiny, siteFiles, type TinyRun } from '../../support/a-run.ts';
import { figures, planned } from '../../support/heard-plans.ts';
import { ledgerRows } from '../../support/ledger-files.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';

const initial = sha256('initial');
const report = (
  round: number,
  action: RoundReport['policy']['action'],
  change: object = {},
): RoundReport => ({
  ...aReport({ round }),
  policy: { action, reasons: [] },
  ...change,
});

describe('what a run goes back to', () => {
  test('is the newest version within its limits, and the initial model before there is one', () => {
    const start = noRollBacks(initial);
    expect(start).toEqual({ target: { version: 0, modelSha256: initial }, done: 0 });
    const good = rollBacksAfter(start, report(3, 'go-on'));
    expect(good.target).toEqual({ version: 4, modelSha256: aReport({ round: 3 }).modelSha256 });
    for (const action of ['warn', 'roll-back', 'stop'] as const)
      expect(rollBacksAfter(good, report(4, action))).toEqual(good);
    expect(rollBacksAfter(good, report(4, 'roll-back', { rolledBackTo: good.target })).done).toBe(1);
  });

  test('as often as is allowed, then the run stops and says so', () => {
    const verdict = { action: 'roll-back' as const, reasons: ['too high'] };
    const before = { ...noRollBacks(initial), done: 2 };
    expect(withinRollBacks(verdict, before, 3)).toEqual(verdict);
    expect(withinRollBacks(verdict, before, 2)).toEqual({
      action: 'stop',
      reasons: ['too high', expect.stringMatching(/maxRollBacks is 2/)],
    });
    const warned = { action: 'warn' as const, reasons: [] };
    expect(withinRollBacks(warned, before, 0)).toEqual(warned);
  });
});

/** Every AUC's lower bound is above 0, so every round is beyond its limit. */
function aLeakingRun(maxRollBacks: number): TinyRun {
  const folder = temporaryFolder();
  return {
    directory: join(folder, 'run'),
    sites: ['east', 'north'].map((name) => siteFiles(folder, name)),
    federation: aFederationConfig({
      rounds: 5,
      leakage: [
        { figure: 'user-auc', limit: 0, action: 'roll-back' },
        { figure: 'user-auc', limit: 0, action: 'warn' },
      ],
      maxRollBacks,
    }),
  };
}

describe('a run that is rolled back', () => {
  test('goes on from the model within its limits, counts and pays on, and stops when it has gone back often enough', async () => {
    const models = new Map<number, string>();
    const run = aLeakingRun(2);
    const ended = await runTiny({ ...run, between: planned(models) });
    expect(ended).toMatchObject({ outcome: 'stopped', code: 'LEAKAGE_LIMIT' });
    const { reports } = ended;
    expect(reports.map(({ round, policy }) => `${round} ${policy.action}`)).toEqual([
      '0 roll-back',
      '1 roll-back',
      '2 stop',
    ]);
    const start = models.get(0);
    for (const { rolledBackTo } of reports.slice(0, 2))
      expect(rolledBackTo).toEqual({ version: 0, modelSha256: start });
    expect(reports[2]?.rolledBackTo).toBeUndefined();
    expect([models.get(1), models.get(2)]).toEqual([start, start]);
    expect(reports[0]?.modelSha256).not.toBe(start);
    const spent = reports.map(({ epsilon }) => Number(epsilon.coordinator));
    expect(spent).toEqual([...spent].sort((a, b) => a - b));
    expect(new Set(spent).size).toBe(3);
    for (const { ledger } of run.sites) expect(ledgerRows(ledger)).toHaveLength(3);
    const store = await openStore(run.directory);
    // What was gone back from is kept, whole.
    expect(sha256(store.model(reports[0]!.modelSha256)!)).toBe(reports[0]!.modelSha256);
    await store.close();
  });

  test('rolls back to the same model after a restart at any of its rounds', async () => {
    const { reports } = await runTiny(aLeakingRun(2));
    for (const last of [0, 1]) {
      const run = aLeakingRun(2);
      const abort = new AbortController();
      const onReport = ({ round }: RoundReport): void => {
        if (round === last) abort.abort();
      };
      expect(await refusalOf(runTiny({ ...run, abort, onReport }))).toMatchObject({ code: 'INTERRUPTED' });
      const ended = await runTiny(run);
      expect(ended.code).toBe('LEAKAGE_LIMIT');
      expect(figures(ended.reports)).toEqual(figures(reports.slice(last + 1)));
    }
  });
});
