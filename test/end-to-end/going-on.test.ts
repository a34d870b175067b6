import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readCanary, readRun } from '../../scenarios/run-directory.ts';
import { loadScenario, type Scenario } from '../../scenarios/scenario.ts';
import { simulate } from '../../scenarios/simulate.ts';
import { Seed } from '../../shared/units.ts';
import { aScenario } from '../support/small-run.ts';
import { refusalOf, temporaryFolder } from '../support/temporary.ts';

const scenario = withRounds(loadScenario(aScenario('going-on', { sites: 2 })), 1);
const silent = { stage: (): void => undefined, report: (): void => undefined, note: (): void => undefined };

function withRounds(base: Scenario, rounds: number): Scenario {
  return { ...base, federation: { ...base.federation, rounds } };
}

/** Run, or go on, in this directory. */
async function run(directory: string, own: Scenario = scenario, seed = 1): Promise<string> {
  const { outcome } = await simulate({
    scenario: own,
    seed: Seed.parse(seed),
    directory,
    dataDirectories: [],
    inProcess: true,
    observer: silent,
    signal: new AbortController().signal,
  });
  return outcome;
}

/** Every file of a directory: path, content and when it was last written. */
function filesIn(directory: string): ReadonlyMap<string, readonly [string, number]> {
  const files = readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .map((name) => join(directory, name))
    .filter((file) => statSync(file).isFile());
  return new Map(files.map((file) => [file, [readFileSync(file, 'base64'), statSync(file).mtimeMs]]));
}

function withUsers(usersPerSite: number): Scenario {
  if (scenario.data.type !== 'synthetic-hospitals') throw new Error('the small scenario has other data');
  return { ...scenario, data: { ...scenario.data, usersPerSite } };
}

describe('a directory that holds a run of another scenario', () => {
  test.each<[string, Scenario, number, string]>([
    ['other rounds', withRounds(scenario, 2), 1, 'federation.rounds'],
    ['other data', withUsers(81), 1, 'data.usersPerSite'],
    [
      'another policy',
      { ...scenario, sites: { ...scenario.sites, policy: { ...scenario.sites.policy, maxEpsilon: 4 } } },
      1,
      'sites.policy.maxEpsilon',
    ],
    ['another seed', scenario, 2, 'seed'],
  ])('%s: refused with the place, and nothing is written', async (_, other, seed, place) => {
    const directory = join(temporaryFolder(), 'run');
    await run(directory);
    const before = filesIn(directory);
    expect(before.size).toBeGreaterThan(10);
    expect(await refusalOf(run(directory, other, seed))).toMatchObject({
      code: 'RUN_MISMATCH',
      message: expect.stringMatching(
        new RegExp(`differs in ${place.replaceAll('.', '\\.')}[:;,. ]`),
      ) as unknown,
    });
    expect(filesIn(directory)).toEqual(before);
  });

  test('is none where the same run, in other words or with other threads, goes on', async () => {
    const directory = join(temporaryFolder(), 'run');
    await run(directory);
    const { trainer } = scenario.sites;
    const same = { ...scenario.sites, trainer: { ...trainer, workers: 1 } };
    expect(await run(directory, { ...scenario, sites: same, seeds: [Seed.parse(1), Seed.parse(9)] })).toBe(
      'finished',
    );
    const stored = loadScenario(join(directory, 'scenario.json'));
    expect([stored.sites.trainer.workers, stored.seeds]).toEqual([1, [1, 9]]);
  });

  test('and none where nothing has begun: a scenario that was refused is corrected', async () => {
    const directory = join(temporaryFolder(), 'run');
    const model = { ...scenario.federation.model, inputShape: [25] };
    const wrong = { ...scenario, federation: { ...scenario.federation, model } };
    expect(await refusalOf(run(directory, wrong))).toMatchObject({
      code: 'WRONG_SHAPE',
      message: expect.stringMatching(
        /takes 25 features.*have 26.*federation\.model\.inputShape.*data schema/s,
      ) as unknown,
    });
    expect(await run(directory)).toBe('finished');
  });
});

test.each([
  ['manifest.json', /manifest\.json does not fit.*its content: /],
  ['rounds.jsonl', /rounds\.jsonl, line 1 does not fit.*round: /],
])(
  '%s broken by hand: what does not fit, in words, and starting the run again mends it',
  async (name, words) => {
    const directory = join(temporaryFolder(), 'run');
    await run(directory);
    const whole = readRun(directory);
    writeFileSync(
      join(directory, name),
      name === 'manifest.json' ? '{' : '{"reportVersion": 1, "round": "one"}\n',
    );
    const read = (): unknown => [readRun(directory), readCanary(directory)];
    expect(read).toThrow(
      expect.objectContaining({ code: 'RUN_NOT_FOUND', message: expect.stringMatching(words) as unknown }),
    );
    expect(read).toThrow(/the same command again/);
    expect(read).not.toThrow(/[{[]\s*"/);
    expect(await run(directory)).toBe('finished');
    expect(readRun(directory)).toEqual(whole);
  },
);
