import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { RoundReport } from '../../../shared/protocol/report.ts';
import { aFederationConfig, runTiny, siteFiles, type TinyRun } from '../../support/a-run.ts';
import { ledgerRows } from '../../support/ledger-files.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';

const names = ['east', 'north'];
const federation = aFederationConfig({ rounds: 3 });

function aRun(): TinyRun {
  const folder = temporaryFolder();
  return {
    directory: join(folder, 'run'),
    sites: names.map((name) => siteFiles(folder, name)),
    federation,
  };
}

let whole: ReturnType<typeof runTiny> | undefined;

/** The run that all others are compared with. */
function uninterrupted(): ReturnType<typeof runTiny> {
  whole ??= runTiny(aRun());
  return whole;
}

/** Every figure of a round but how long it took. */
function figures(reports: readonly RoundReport[]): unknown[] {
  return reports.map((report) => ({ ...report, seconds: 0 }));
}

function logged({ directory }: TinyRun): RoundReport[] {
  const lines = readFileSync(join(directory, 'rounds.jsonl'), 'utf8').split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as RoundReport);
}

type Moment = readonly [string, (abort: AbortController) => Partial<TinyRun>];
const atStage =
  (round: number, stage: string, done: number) =>
  (abort: AbortController): Partial<TinyRun> => ({
    onStage: (...now) => {
      if (now.join() === [round, stage, done].join()) abort.abort();
    },
  });

const moments: readonly Moment[] = [
  ['while the sites enrol', atStage(0, 'sites enrolled', 1)],
  ['before all have scored the initial model', atStage(0, 'sites scored', 1)],
  ['when a round has begun', atStage(1, 'sites answered', 0)],
  ['with some answers in', atStage(1, 'sites answered', 1)],
  ['with all answers in', atStage(1, 'sites answered', 2)],
  ['before all have scored the new model', atStage(1, 'sites scored', 1)],
  [
    'after the report of a round',
    (abort) => ({
      onReport: ({ round }) => {
        if (round === 0) abort.abort();
      },
    }),
  ],
];

describe('a run that was interrupted', () => {
  test.each(moments)('%s ends as if nothing had happened', async (_when, change) => {
    const { reports } = await uninterrupted();
    const run = aRun();
    const abort = new AbortController();
    expect(await refusalOf(runTiny({ ...run, ...change(abort), abort }))).toMatchObject({
      code: 'INTERRUPTED',
      message: expect.stringMatching(/start the same command again/) as unknown,
    });
    const { outcome } = await runTiny(run);
    expect(outcome).toBe('finished');
    expect(figures(logged(run))).toEqual(figures(reports));
    for (const { ledger } of run.sites) expect(ledgerRows(ledger)).toHaveLength(3);
  });

  test('over and over, once a round, pays for every round once', async () => {
    const { reports } = await uninterrupted();
    const run = aRun();
    for (let round = 0; round < 3; round++) {
      const abort = new AbortController();
      const { onStage } = atStage(round, 'sites answered', 2)(abort);
      // Once with the answers in, which are lost, and once after the round.
      await refusalOf(runTiny({ ...run, abort, ...(onStage && { onStage }) }));
      const again = new AbortController();
      const ended = runTiny({
        ...run,
        abort: again,
        onReport: () => {
          again.abort();
        },
      });
      if (round < 2) await refusalOf(ended);
      else expect((await ended).outcome).toBe('finished');
    }
    expect(figures(logged(run))).toEqual(figures(reports));
    for (const { ledger } of run.sites) expect(ledgerRows(ledger)).toHaveLength(3);
  });
});
