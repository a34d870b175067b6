import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';
import { reportHtml, seedsHtml } from '../../scenarios/report/html.ts';
import { seedsSummary } from '../../scenarios/report/seeds-summary.ts';
import { summaryTable } from '../../scenarios/report/summary.ts';
import { readRun } from '../../scenarios/run-directory.ts';
import { Scenario } from '../../scenarios/scenario.ts';
import { simulate } from '../../scenarios/simulate.ts';
import { figuresOf } from '../../scenarios/sweep/result.ts';
import { reportedEpsilon } from '../../shared/privacy/accounting/accountants.ts';
import { sampledGaussian } from '../../shared/privacy/accounting/event.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { Delta, NoiseMultiplier, SamplingRate, Seed } from '../../shared/units.ts';
import { parleyDone } from '../support/processes.ts';
import { refusalOf } from '../support/temporary.ts';

const stamp = 'not user-level private';
const silent = { stage: (): void => undefined, report: (): void => undefined, note: (): void => undefined };
const recordDp = {
  ...{ type: 'record-dp-sgd', clipNorm: 0.5, noiseMultiplier: 1.2, samplingRate: 0.1, steps: 3 },
  ...{ recordsPerStep: 15, delta: 1e-4 },
};

function scenario(silo: object, change: Record<string, unknown> = {}): Scenario {
  return Scenario.parse({
    federation: {
      name: 'whole-sites',
      rounds: 2,
      model: { inputShape: [27], output: { type: 'sigmoid' } },
      local: { epochs: 1, batchSize: 16, learningRate: 0.3, silo },
      protection: { type: 'none' },
      server: { type: 'fedavg' },
      audit: { attacks: [], pairs: false },
      ...change,
    },
    data: {
      ...{ type: 'synthetic-hospitals', schema: resolve('scenarios/catalog/schemas/hospital-cohort.yaml') },
      ...{ sites: 2, usersPerSite: 120 },
    },
    sites: {
      policy: {
        ...{
          maxEpsilon: 3,
          delta: 1e-5,
          minNoiseMultiplier: 0.5,
          allowUnprotected: true,
          keepReleases: 'all',
        },
        allowedDefences: ['mist', 'record-dp-sgd', 'distillation'],
      },
      audit: { fraction: 0.5, referenceFraction: 0.2, canaries: { mislabelled: 5 } },
    },
  });
}

interface Run {
  readonly directory: string;
  readonly reports: readonly RoundReport[];
}

const folder = (): string => mkdtempSync(join(tmpdir(), 'parley-silo-'));

/** In this process, without sockets. */
async function inProcess(of: Scenario): Promise<Run> {
  const directory = join(folder(), 'run');
  const given = { scenario: of, seed: Seed.parse(1), directory, dataDirectories: [], inProcess: true };
  await simulate({ ...given, observer: silent, signal: new AbortController().signal });
  return { directory, reports: readRun(directory).reports };
}

/** A process for the coordinator and for each site. */
async function overSockets(of: Scenario): Promise<Run> {
  const directory = join(folder(), 'run');
  const file = join(folder(), 'whole-sites.yaml');
  writeFileSync(file, JSON.stringify(of));
  const { code, stdout, stderr } = await parleyDone('simulate', file, '--out', directory);
  expect(code, stdout + stderr).toBe(0);
  expect(stdout).toContain(stamp);
  return { directory, reports: readRun(directory).reports };
}

test.each([
  ['mist', { type: 'mist', groups: 3 }],
  ['record-dp-sgd', recordDp],
])(
  '%s over sockets is stamped wherever its figures stand, and the same in one process',
  async (type, silo) => {
    const { directory, reports } = await overSockets(scenario(silo));
    const last = reports.at(-1)!;
    expect(reports).toHaveLength(2);
    expect(last.sites.answered).toHaveLength(2);
    expect(last.silo).toMatchObject({ stamp, defence: type });
    expect(last.defences).toEqual([{ type, class: 'silo-level' }]);
    expect([last.epsilon.coordinator, last.epsilon.recipients]).toEqual(['infinite', 'infinite']);
    const reported = readRun(directory);
    expect(reported.manifest.stamp).toBe(stamp);
    expect(figuresOf(reported)?.silo).toBe(stamp);
    const seeds = [{ seed: 1, ...reported }];
    const texts = [
      ...[reportHtml(reported), seedsHtml(seeds), seedsSummary(seeds).text],
      ...[
        summaryTable(reported.manifest, reported.reports),
        readFileSync(join(directory, 'rounds.jsonl'), 'utf8'),
      ],
    ];
    for (const text of texts) expect(text).toContain(stamp);
    const again = await inProcess(scenario(silo));
    expect(again.reports.map(({ modelSha256 }) => modelSha256)).toEqual(
      reports.map(({ modelSha256 }) => modelSha256),
    );
  },
);

test("a record's epsilon is that of all steps of all rounds, and is called a record's", async () => {
  const { directory, reports } = await inProcess(scenario(recordDp));
  const event = sampledGaussian(NoiseMultiplier.parse(1.2), SamplingRate.parse(0.1));
  for (const [round, { silo }] of reports.entries()) {
    const epsilon = reportedEpsilon([{ event, count: 3 * (round + 1) }], Delta.parse(1e-4));
    expect(silo?.recordLevel).toMatchObject({ epsilon, delta: 1e-4 });
    expect(silo?.recordLevel?.rdp).toBeGreaterThan(epsilon);
  }
  expect(reportHtml(readRun(directory))).toContain('It is a record’s epsilon');
});

test('a site without reference users declines what needs public records, and says why', async () => {
  const given = scenario(
    { type: 'distillation' },
    { cohort: { maxRepeats: 0 }, deadlines: { roundMs: 5000 } },
  );
  const audit = { ...given.sites.audit, referenceFraction: 0 };
  const refusal = await refusalOf(inProcess({ ...given, sites: { ...given.sites, audit } }));
  expect(refusal).toMatchObject({ code: 'ROUND_QUORUM_LOST' });
  expect(String(refusal)).toContain('POLICY_REFUSED');
});

test('the audit of such a run has the stamp, and no red team looks for updates that no user has', async () => {
  const { directory } = await inProcess(scenario({ type: 'mist', groups: 2 }));
  const { code, stdout } = await parleyDone('audit', directory);
  expect(code, stdout).toBe(0);
  expect(stdout).toContain(stamp);
  const refused = await parleyDone('audit', directory, '--red-team', '--json');
  expect(refused.stdout).toContain("red-team roles look for each user's own update");
});
