import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openSimulation } from '../../scenarios/red-team/finished-simulation.ts';
import { type RedTeamResult, redTeam, redTeamDefaults } from '../../scenarios/red-team/red-team.ts';
import { loadScenario, type Scenario } from '../../scenarios/scenario.ts';
import { simulate } from '../../scenarios/simulate.ts';
import { Seed } from '../../shared/units.ts';

const silent = { stage: (): void => undefined, report: (): void => undefined, note: (): void => undefined };

async function attacked(name: string, rounds: number): Promise<readonly RedTeamResult[]> {
  const loaded = loadScenario(`scenarios/catalog/${name}.yaml`);
  const scenario: Scenario = {
    ...loaded,
    federation: { ...loaded.federation, rounds },
    sites: { ...loaded.sites, policy: { ...loaded.sites.policy, keepReleases: 'all' } },
  };
  const directory = join(mkdtempSync(join(tmpdir(), 'parley-red-team-')), 'run');
  const run = { scenario, seed: Seed.parse(3), directory, dataDirectories: [], inProcess: true };
  await simulate({ ...run, observer: silent, signal: new AbortController().signal });
  const options = { ...redTeamDefaults, rounds: 5, targetsPerSite: 100, activeTargetsPerSite: 16 };
  return redTeam(await openSimulation(directory), options);
}

function found(results: readonly RedTeamResult[], role: string, attack: string): RedTeamResult {
  const result = results.find((row) => row.role === role && row.attack === attack);
  if (result === undefined) throw new Error(`no result of ${attack} by ${role}`);
  return result;
}

test('without noise, every update by itself gives away more than the sums do', async () => {
  const results = await attacked('leaky', 10);
  const cosine = found(results, 'coordinator, every update', 'fed-mia-cosine');
  expect(cosine.low).toBeGreaterThan(0.6);
  expect(cosine.low).toBeGreaterThan(found(results, 'coordinator, sums only', 'mean-cosine').auc);
});

test('with user-level privacy all of them are near chance', async () => {
  const results = await attacked('user-dp', 5);
  for (const { low, attack } of results) expect({ attack, low: low < 0.55 }).toEqual({ attack, low: true });
});
