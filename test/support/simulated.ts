import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dataDirectories } from '../../scenarios/data/data-directory.ts';
import type { ReportedRun } from '../../scenarios/report/run.ts';
import { readRun } from '../../scenarios/run-directory.ts';
import { loadScenario, type Scenario } from '../../scenarios/scenario.ts';
import { simulate } from '../../scenarios/simulate.ts';
import { Seed } from '../../shared/units.ts';

/** Where the public data sets lie for tests. */
export const dataDirectory = process.env['PARLEY_DATA'] ?? '../shared/data';

const silent = { stage: (): void => undefined, report: (): void => undefined, note: (): void => undefined };

/** Run a catalogue scenario, or what `change` makes of it, in process with one seed and read what it left. */
export async function simulated(
  name: string,
  seed: number,
  change: (scenario: Scenario) => Scenario = (scenario) => scenario,
): Promise<ReportedRun & { readonly directory: string }> {
  const directory = join(mkdtempSync(join(tmpdir(), `parley-${name}-`)), 'run');
  await simulate({
    scenario: change(loadScenario(`scenarios/catalog/${name}.yaml`)),
    seed: Seed.parse(seed),
    directory,
    dataDirectories: dataDirectories(process.env, dataDirectory),
    inProcess: true,
    observer: silent,
    signal: new AbortController().signal,
  });
  return { ...readRun(directory), directory };
}

/** The same scenario with its declared attack alone: most of a round on a large population is audits, which other tests are for. */
export function declaredAttackOnly({ federation, ...scenario }: Scenario): Scenario {
  return {
    ...scenario,
    federation: { ...federation, audit: { ...federation.audit, attacks: [], pairs: false } },
  };
}
