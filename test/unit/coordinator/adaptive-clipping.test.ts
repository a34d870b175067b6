import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { Notice } from '../../../shared/protocol/messages.ts';
import { decodedModel, decodedUpdate } from '../../../shared/protocol/payloads.ts';
import { Plan } from '../../../shared/protocol/plan.ts';
import type { RoundReport } from '../../../shared/protocol/report.ts';
import { aFederationConfig, runTiny, type SiteFiles, siteFiles, type TinyRun } from '../../support/a-run.ts';
import { ledgerRows } from '../../support/ledger-files.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';

const numParams = 3;
const [z, bitStdDev, q, declaredUsers] = [2.5, 4, 0.5, 20];
/** z / (2 sigma_b), the bit's share of the joint clip norm. */
const share = z / (2 * bitStdDev);

const protection = {
  ...{ type: 'user-dp', clipNorm: 30, samplingRate: q, delta: 1e-5, noiseMultiplier: z },
  adaptiveClipping: { bitStdDev, learningRate: 1 },
};
const federation = aFederationConfig({
  ...{ rounds: 4, protection },
  server: { type: 'fedavg', learningRate: 0.75 },
});

let folder: string;
let run: TinyRun & { readonly sites: readonly SiteFiles[] };
beforeEach(() => {
  folder = temporaryFolder();
  const sites = ['east', 'north'].map((name) => siteFiles(folder, name, { client: { declaredUsers } }));
  run = { directory: join(folder, 'run'), sites, federation };
});

const figures = (reports: readonly RoundReport[]): unknown[] =>
  reports.map((report) => ({ ...report, seconds: 0 }));

/** Sum of the sites' releases of a round as their ledgers hold them, in units of the joint clip norm of the round. */
function releasedSum(round: number): number[] {
  const updates = run.sites.map(({ ledger }) =>
    decodedUpdate(ledgerRows(ledger).find((row) => row.round === round)!.bytes, numParams + 1),
  );
  return [...updates[0]!].map((value, index) => (value + updates[1]![index]!) * 2 ** -16);
}

/** Every plan that one of the sites was sent, in order. */
function watchedPlans(): { readonly plans: Plan[]; readonly between: NonNullable<TinyRun['between']> } {
  const plans: Plan[] = [];
  return {
    plans,
    between: (site, connect) => (port) =>
      connect({
        ...port,
        notice: (notice) => {
          const parsed = Notice.safeParse(notice);
          if (site === run.sites[0] && parsed.success && parsed.data.type === 'plan')
            plans.push(Plan.parse(JSON.parse(parsed.data.signed.body)));
          port.notice(notice);
        },
      }),
  };
}

describe('a run whose clip norm adapts', () => {
  test('tells the sites the clip norm of each round, and nothing else that changes', async () => {
    const { plans, between } = watchedPlans();
    const { reports } = await runTiny({ ...run, between });
    const promised = { ...protection, mode: 'local', adaptiveClipping: { bitStdDev } };
    expect(plans.map((plan) => plan.protection)).toEqual(
      reports.map(({ clipping }) => ({ ...promised, clipNorm: clipping?.clipNorm })),
    );
    expect(reports.slice(1).map(({ clipping }) => clipping?.clipNorm)).toEqual(
      reports.slice(0, -1).map(({ clipping }) => clipping?.nextClipNorm),
    );
  });

  test('follows the count that the releases hold, and moves the model by the rest of them', async () => {
    const { reports } = await runTiny(run);
    expect(reports).toHaveLength(4);
    const denominator = q * 2 * declaredUsers;
    let clipNorm = 30;
    for (const { round, clipping, modelSha256 } of reports) {
      const joint = clipNorm / Math.sqrt(1 - share ** 2);
      const sum = releasedSum(round);
      // Twice a bit is the share of the joint norm: half of it for each user within C, or taken away for each beyond.
      const within = Math.min(1, Math.max(0, 0.5 + sum[numParams]! / (2 * share) / denominator));
      expect(clipping?.clipNorm).toBeCloseTo(clipNorm, 9);
      expect(clipping?.fractionWithin).toBeCloseTo(within, 9);
      clipNorm *= Math.exp(-(within - 0.5));
      expect(clipping?.nextClipNorm).toBeCloseTo(clipNorm, 9);
      const before = round === 0 ? undefined : modelOf(reports[round - 1]!.modelSha256);
      const after = modelOf(modelSha256);
      if (before)
        after.forEach((value, index) => {
          expect(value).toBeCloseTo(before[index]! + (0.75 * joint * sum[index]!) / denominator, 4);
        });
    }
    expect(new Set(reports.map(({ clipping }) => clipping?.clipNorm)).size).toBe(4);
  });

  test('is charged z each round: ledger and mirror hold one event, whatever the clip norm', async () => {
    const { reports } = await runTiny(run);
    const rest = Math.sqrt(1 - share ** 2);
    for (const { ledger } of run.sites) {
      const events = ledgerRows(ledger).map(({ event }) => event);
      expect(events).toHaveLength(4);
      for (const event of events) {
        expect(event).toEqual(events[0]);
        expect(event).toMatchObject({
          type: 'adaptive-clipping',
          updateNoiseMultiplier: expect.closeTo(z / rest, 9) as number,
          quantileNoiseMultiplier: 2 * bitStdDev,
          samplingRate: q,
        });
      }
    }
    const fixed = { ...protection, clipNorm: 0.5, adaptiveClipping: undefined };
    const plain = await runTiny({
      directory: join(folder, 'plain'),
      sites: ['south', 'west'].map((name) => siteFiles(folder, name, { client: { declaredUsers } })),
      federation: aFederationConfig({ rounds: 4, protection: fixed }),
    });
    expect(plain.reports.every(({ clipping }) => clipping === undefined)).toBe(true);
    for (const [round, { epsilon }] of reports.entries()) {
      expect(epsilon.coordinator).toBeCloseTo(Number(plain.reports[round]!.epsilon.coordinator), 6);
      expect(epsilon.recipients).toBeCloseTo(Number(plain.reports[round]!.epsilon.recipients), 6);
    }
  });

  test.each(['sites answered', 'sites scored'])(
    'ends with the same clip norms when it is interrupted in every round (%s) and taken up again',
    async (stage) => {
      const whole = await runTiny(run);
      folder = temporaryFolder();
      const sites = ['east', 'north'].map((name) => siteFiles(folder, name, { client: { declaredUsers } }));
      const again = { ...run, directory: join(folder, 'run'), sites };
      const reports: RoundReport[] = [];
      for (let round = 0; round < 4; round++) {
        const abort = new AbortController();
        const onStage = (...now: [number, string, number]): void => {
          if (now.join() === [round, stage, 2].join()) abort.abort();
        };
        const onReport = (report: RoundReport): void => {
          reports.push(report);
        };
        await refusalOf(runTiny({ ...again, abort, onStage, onReport }));
      }
      const last = await runTiny(again);
      expect(figures([...reports, ...last.reports])).toEqual(figures(whole.reports));
      for (const { ledger } of sites) expect(ledgerRows(ledger)).toHaveLength(4);
    },
  );
});

function modelOf(hash: string): Float32Array {
  return decodedModel(readFileSync(join(run.directory, 'models', `${hash}.safetensors`)), numParams);
}
