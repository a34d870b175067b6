import { existsSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { dataDirectories } from '../../scenarios/data/data-directory.ts';
import { readRun } from '../../scenarios/run-directory.ts';
import { loadScenario, Scenario } from '../../scenarios/scenario.ts';
import { simulate } from '../../scenarios/simulate.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { Seed } from '../../shared/units.ts';
import { dataDirectory } from '../support/simulated.ts';

/** 3 in every check; PARLEY_SILENT_SEEDS asks for more. */
const silentSeeds = Number(process.env['PARLEY_SILENT_SEEDS'] ?? 3);

interface Red {
  readonly code: string | undefined;
  readonly reports: readonly RoundReport[];
}

/** Run a scenario in process, at most so many rounds. */
async function red(scenario: Scenario, seed: number, maxRounds = Infinity): Promise<Red> {
  const directory = join(mkdtempSync(join(tmpdir(), 'parley-red-')), 'run');
  const abort = new AbortController();
  const outcome = simulate({
    ...{ scenario, seed: Seed.parse(seed), directory, inProcess: true, signal: abort.signal },
    dataDirectories: dataDirectories(process.env, dataDirectory),
    observer: {
      stage: () => undefined,
      note: () => undefined,
      report: ({ round }) => {
        if (round + 1 >= maxRounds) abort.abort();
      },
    },
  });
  const ended = await outcome.catch(() => undefined);
  return { code: ended?.code, reports: readRun(directory).reports };
}

const broken = loadScenario('scenarios/catalog/broken-protection.yaml');
const sound = Scenario.parse({ ...broken, redTeam: undefined });

describe('a claimed epsilon of 3 on the data of leaky.yaml, 200 canaries', () => {
  test.each([
    ['off', 'off'],
    ['off', 'on'],
    ['on', 'off'],
  ] as const)('with noise %s and clipping %s the alarm comes within ten rounds', async (noise, clipping) => {
    const { code, reports } = await red({ ...broken, redTeam: { brokenProtection: { noise, clipping } } }, 1);
    expect(code).toBe('PRIVACY_BROKEN');
    expect(reports.length).toBeLessThanOrEqual(10);
    const { alarm = [], redTeam, sites } = reports.at(-1)!;
    expect(alarm.map(({ view }) => view)).toContain('coordinator');
    for (const { bound, accounted } of alarm) expect(bound).toBeGreaterThan(accounted);
    // Missing noise shows on arrival, where a real coordinator refuses it; missing clipping shows to the canaries alone.
    const noted = redTeam!.notedOnArrival.map((line) => line.split(':')[0]);
    expect(noted).toEqual(noise === 'off' ? sites.answered : []);
  });

  test('with the stated noise there is no alarm', async () => {
    const { code, reports } = await red(sound, 1);
    expect(code).toBeUndefined();
    expect(reports).toHaveLength(10);
    expect(reports.filter(({ alarm }) => alarm)).toEqual([]);
  });
});

describe('the stated noise on small hospitals', () => {
  const { federation, data, sites } = loadScenario('scenarios/catalog/four-hospitals.yaml');
  const small = Scenario.parse({
    federation: {
      ...federation,
      rounds: 5,
      epsilonLimit: 3,
      local: { ...federation.local, epochs: 1 },
      protection: { type: 'user-dp', clipNorm: 0.5, samplingRate: 1, delta: 1e-6, epsilon: 3 },
    },
    data: { ...data, usersPerSite: 100 },
    sites: { ...sites, audit: { fraction: 0.6, referenceFraction: 0.2, canaries: { directions: 40 } } },
  });

  test(`is silent in ${silentSeeds} of ${silentSeeds} seeds`, { timeout: 30_000 * silentSeeds }, async () => {
    let alarms = 0;
    for (let seed = 1; seed <= silentSeeds; seed++) {
      const { reports } = await red(small, seed);
      expect(reports).toHaveLength(5);
      alarms += reports.filter(({ alarm }) => alarm).length;
    }
    expect(alarms).toBe(0);
  });
});

describe.runIf(existsSync(join(dataDirectory, 'diabetes130')))('diabetes130 with 400 canaries', () => {
  // Of 178 parameters the other users' updates hide a canary; a hidden layer makes 2,865.
  const { federation, sites, ...rest } = loadScenario('scenarios/catalog/diabetes130.yaml');
  const scenario = Scenario.parse({
    ...rest,
    federation: {
      ...federation,
      model: { ...federation.model, layers: [{ type: 'dense', units: 16, activation: 'tanh' }] },
      audit: { ...federation.audit, oneRun: { guessesPerSide: 60 } },
    },
    sites: { ...sites, audit: { ...sites.audit, canaries: { directions: 100 } } },
    redTeam: { brokenProtection: { noise: 'off', clipping: 'off' } },
  });

  test('without noise and clipping the alarm comes within ten rounds', async () => {
    const { code, reports } = await red(scenario, 1, 10);
    expect(code).toBe('PRIVACY_BROKEN');
    expect(reports.length).toBeLessThanOrEqual(10);
  });
});
