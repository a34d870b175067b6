import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataDirectories } from '../../scenarios/data/data-directory.ts';
import type { ReportedRun } from '../../scenarios/report/run.ts';
import { readRun } from '../../scenarios/run-directory.ts';
import { loadScenario } from '../../scenarios/scenario.ts';
import { simulate } from '../../scenarios/simulate.ts';
import { Seed } from '../../shared/units.ts';

/** Where the public data sets lie for tests. */
export const dataDirectory = process.env['PARLEY_DATA'] ?? '../shared/data';

const silent = { stage: (): void => undefined, report: (): void => undefined, note: (): void => undefined };

/** Run a catalogue scenario in process with one seed, of its own or as many rounds as given, and read what it left. */
export async function simulated(name: string, seed: number, rounds?: number): Promise<ReportedRun> {
  const scenario = loadScenario(`scenarios/catalog/${name}.yaml`);
  const federation = { ...scenario.federation, ...(rounds !== undefined && { rounds }) };
  const directory = join(mkdtempSync(join(tmpdir(), `parley-${name}-`)), 'run');
  await simulate({
    scenario: { ...scenario, federation },
    seed: Seed.parse(seed),
    directory,
    dataDirectories: dataDirectories(process.env, dataDirectory),
    inProcess: true,
    observer: silent,
    signal: new AbortController().signal,
  });
  return readRun(directory);
}
