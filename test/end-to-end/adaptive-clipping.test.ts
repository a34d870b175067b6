import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readRun } from '../../scenarios/run-directory.ts';
import { loadScenario, Scenario } from '../../scenarios/scenario.ts';
import { simulate } from '../../scenarios/simulate.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { Seed } from '../../shared/units.ts';

const file = 'scenarios/catalog/four-hospitals-adaptive.yaml';
const silent = { stage: (): void => undefined, report: (): void => undefined, note: (): void => undefined };

/** Run the catalogue's scenario with another protection and read its rounds. */
async function rounds(change: Record<string, unknown>): Promise<readonly RoundReport[]> {
  const scenario = loadScenario(file);
  const { federation } = scenario;
  const directory = join(mkdtempSync(join(tmpdir(), 'parley-adaptive-')), 'run');
  await simulate({
    scenario: Scenario.parse({
      ...scenario,
      federation: { ...federation, protection: { ...federation.protection, ...change } },
    }),
    ...{ seed: Seed.parse(1), directory, dataDirectories: [], inProcess: true },
    observer: silent,
    signal: new AbortController().signal,
  });
  return readRun(directory).reports;
}

const clippings = (reports: readonly RoundReport[]): NonNullable<RoundReport['clipping']>[] =>
  reports.map(({ clipping }) => {
    if (!clipping) throw new Error('a round of an adaptive run does not say how it clipped');
    return clipping;
  });

describe('a clip norm that starts badly', () => {
  test.each([0.01, 100])('comes from %d to where half of the users are within it', async (clipNorm) => {
    const reports = await rounds({ clipNorm, adaptiveClipping: { learningRate: 1 } });
    const all = clippings(reports);
    expect(all[0]).toMatchObject({ clipNorm });
    // The first rounds find everybody on one side: noise alone keeps the fraction from 0 or 1.
    expect(Math.abs((all[0]?.fractionWithin ?? 0.5) - 0.5)).toBeGreaterThan(0.25);
    for (const [round, { nextClipNorm }] of all.slice(0, -1).entries())
      expect(all[round + 1]?.clipNorm).toBe(nextClipNorm);
    // Ten rounds of noise 5 z sqrt(4) / 198 < 0.09 each: their mean's standard deviation is below 0.03.
    const late = all.slice(-10).map(({ fractionWithin }) => fractionWithin);
    expect(Math.abs(late.reduce((a, b) => a + b) / 10 - 0.5)).toBeLessThan(0.15);
    expect(all.at(-1)?.clipNorm).toBeGreaterThan(0.1);
    expect(all.at(-1)?.clipNorm).toBeLessThan(3);
    // Not one epsilon more than the promise, which does not know about clipping.
    expect(reports.at(-1)?.epsilon.coordinator).toBeLessThanOrEqual(4);
    expect(reports.at(-1)?.epsilon.coordinator).toBeGreaterThan(3.9);
  });
});

test('a run of the catalogue keeps its promise and learns more than with its first clip norm, a hundred times too large', async () => {
  const reports = await rounds({});
  const last = reports.at(-1);
  expect(last?.clipping?.clipNorm).toBeLessThan(2);
  expect(last?.utility.value).toBeGreaterThan(0.55);
  expect(last?.epsilon.coordinator).toBeLessThanOrEqual(4);
  const fixed = (await rounds({ adaptiveClipping: undefined })).at(-1);
  expect(fixed?.clipping).toBeUndefined();
  // Seeds 1 to 4: 0.045 to 0.11 more.
  expect(last?.utility.value).toBeGreaterThan(fixed?.utility.value ?? 1);
});
