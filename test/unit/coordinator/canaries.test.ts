import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { sensitivitySlack } from '../../../shared/privacy/grid.ts';
import type { RoundReport } from '../../../shared/protocol/report.ts';
import { normalCdf } from '../../../shared/stats/special.ts';
import { runTiny } from '../../support/a-run.ts';
import { aCanaryRun, canaryLines } from '../../support/canary-run.ts';
import { refusalOf } from '../../support/temporary.ts';
import { uniformityPValue } from '../../support/uniformity.ts';

const q = 0.5;
const z = 2.5;
const slack = sensitivitySlack(1201);

function scoresOf(
  lines: ReturnType<typeof canaryLines>,
  coin: 0 | 1,
): { coordinator: number[]; recipients: number[] } {
  const having = (view: 'coordinator' | 'recipients'): number[] =>
    lines.flatMap((line) => line[view].filter((_, canary) => line.coins[canary] === coin));
  return { coordinator: having('coordinator'), recipients: having('recipients') };
}

const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** P-value of the Kolmogorov-Smirnov test against N(0,1). */
const normalPValue = (values: readonly number[]): number => uniformityPValue(values.map(normalCdf));

/** Every figure of a round but how long it took. */
const figures = (reports: readonly RoundReport[]): unknown[] =>
  reports.map((report) => ({ ...report, seconds: 0 }));

describe('canaries of a federation whose protection works', () => {
  test('held-out scores are standard normal, members are shifted by q / (z (1 + slack)), in both views', async () => {
    const run = aCanaryRun({ directions: 400 });
    const { outcome, reports } = await runTiny(run);
    expect(outcome).toBe('finished');
    const lines = canaryLines(run);
    expect(lines.map(({ round, site }) => `${round} ${site}`)).toEqual(
      [0, 1, 2].flatMap((round) => [`${round} east`, `${round} north`]),
    );
    const [heldOut, members] = [scoresOf(lines, 1), scoresOf(lines, 0)];
    expect(normalPValue(heldOut.coordinator)).toBeGreaterThan(1e-4);
    expect(normalPValue(heldOut.recipients)).toBeGreaterThan(1e-4);
    const shift = q / (z * (1 + slack));
    // Four and a half standard errors; scores have standard deviation near 1.
    const near = 4.6 / Math.sqrt(members.coordinator.length);
    expect(Math.abs(meanOf(members.coordinator) - shift)).toBeLessThan(near);
    expect(Math.abs(meanOf(members.recipients) - shift / Math.sqrt(2))).toBeLessThan(near);
    expect(near).toBeLessThan(shift);
    for (const { canaries, alarm } of reports) {
      expect(alarm).toBeUndefined();
      expect(canaries).toMatchObject({ status: 'measured', coordinator: { bound: { canaries: 800 } } });
    }
    const last = reports.at(-1)?.canaries;
    if (last?.status !== 'measured') throw new Error('no canaries');
    expect(last.members + last.heldOut).toBe(800);
    // Fixed before the run: half of 800 less its square root, on each side.
    expect(last.coordinator.bound.guesses).toBe(2 * 371);
  });

  test('say why nothing is measured where there are none, and where nothing is promised', async () => {
    const { reports } = await runTiny(aCanaryRun({ directions: 0, federation: { rounds: 1 } }));
    expect(reports[0]?.canaries).toEqual({
      status: 'not-measured',
      reason: expect.stringMatching(/no site has/) as unknown,
    });
  });

  test('with correlated noise are bounded and not estimated', async () => {
    const protection = {
      type: 'user-dp-banded',
      clipNorm: 0.5,
      minSeparation: 2,
      delta: 1e-5,
      noiseMultiplier: 4,
    };
    const { reports } = await runTiny(aCanaryRun({ directions: 20, federation: { protection } }));
    const estimate = { status: 'not-measured', reason: expect.stringMatching(/correlated/) as unknown };
    for (const { canaries } of reports)
      expect(canaries).toMatchObject({
        status: 'measured',
        coordinator: { runEstimate: estimate, bound: { canaries: 40 } },
      });
  });
});

test('an interrupted run has the same canaries, scores and reports as one that was not, and mends its copy', async () => {
  const whole = aCanaryRun({ directions: 16 });
  const { reports } = await runTiny(whole);
  const run = aCanaryRun({ directions: 16 });
  const abort = new AbortController();
  const onReport = ({ round }: RoundReport): void => {
    if (round === 1) abort.abort();
  };
  await refusalOf(runTiny({ ...run, abort, onReport }));
  appendFileSync(join(run.directory, 'canaries.jsonl'), '{"round":7}\n');
  const { reports: later } = await runTiny(run);
  expect(canaryLines(run)).toEqual(canaryLines(whole));
  expect(figures(later)).toEqual(figures(reports.slice(2)));
});

describe('broken protection', () => {
  const broken = {
    client: { redTeam: { brokenProtection: { noise: 'off', clipping: 'off' } } },
    directions: 60,
  };

  test('raises the alarm, stops the run for good, and every report says that it was on purpose', async () => {
    const protection = { type: 'user-dp', clipNorm: 0.5, samplingRate: 1, delta: 1e-5, noiseMultiplier: 5 };
    const run = aCanaryRun({ ...broken, federation: { arrivalChecks: 'note', rounds: 10, protection } });
    const ended = await runTiny(run);
    expect(ended).toMatchObject({
      outcome: 'stopped',
      code: 'PRIVACY_BROKEN',
      detail: expect.stringMatching(/broken/) as unknown,
    });
    const last = ended.reports.at(-1);
    expect(last?.alarm?.[0]?.bound).toBeGreaterThan(last?.alarm?.[0]?.accounted ?? Infinity);
    for (const { redTeam } of ended.reports)
      expect(redTeam?.notedOnArrival).toEqual([
        expect.stringMatching(/^east: /),
        expect.stringMatching(/^north: /),
      ]);
    const again = await runTiny(run);
    expect(again).toMatchObject({ outcome: 'stopped', code: 'PRIVACY_BROKEN', reports: [] });
  });

  test('is refused on arrival where nobody asked for it', async () => {
    const run = aCanaryRun({
      ...broken,
      federation: { deadlines: { roundMs: 300 }, cohort: { maxRepeats: 0 } },
    });
    expect(await refusalOf(runTiny(run))).toMatchObject({ code: 'ROUND_QUORUM_LOST' });
  });
});
