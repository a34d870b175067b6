import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { RoundReport } from '../../shared/protocol/report.ts';
import { parley, parleyDone } from '../support/processes.ts';

const scenario = 'scenarios/catalog/four-hospitals.yaml';

/** The round log of a run without its timings. */
function log(directory: string): Omit<RoundReport, 'seconds'>[] {
  const lines = readFileSync(join(directory, 'rounds.jsonl'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => {
    const { seconds, ...rest } = RoundReport.parse(JSON.parse(line));
    expect(seconds).toBeGreaterThan(0);
    return rest;
  });
}

async function simulated(...options: readonly string[]): Promise<string> {
  const directory = join(mkdtempSync(join(tmpdir(), 'parley-same-')), 'run');
  const { code, stderr } = await parleyDone(
    'simulate',
    scenario,
    '--rounds',
    '4',
    '--json',
    '--out',
    directory,
    ...options,
  );
  expect(code, stderr).toBe(0);
  return directory;
}

test('the same seed gives the same model and the same round log, over sockets and in process', async () => {
  const sockets = log(await simulated('--seed', '3'));
  expect(sockets).toHaveLength(4);
  expect(log(await simulated('--seed', '3'))).toEqual(sockets);
  expect(log(await simulated('--seed', '3', '--in-process'))).toEqual(sockets);
});

test('another seed gives another model', async () => {
  const [three, four] = [
    await simulated('--seed', '3', '--in-process'),
    await simulated('--seed', '4', '--in-process'),
  ];
  expect(log(three).at(-1)?.modelSha256).not.toBe(log(four).at(-1)?.modelSha256);
});

test.each([
  ['kill -9', 'SIGKILL', null],
  ['Ctrl-C', 'SIGINT', 130],
] as const)(
  'a run ended by %s and started again ends with the model of an uninterrupted one',
  async (_, signal, exit) => {
    const whole = log(await simulated('--seed', '5', '--in-process'));
    const directory = join(mkdtempSync(join(tmpdir(), 'parley-resumed-')), 'run');
    const args = [
      'simulate',
      scenario,
      '--rounds',
      '4',
      '--json',
      '--seed',
      '5',
      '--in-process',
      '--out',
      directory,
    ];
    const first = parley(...args);
    await first.waitFor((line) => line.startsWith('{"report"'));
    expect(await first.kill(signal), first.stderr()).toBe(exit);
    const { code, stderr } = await parleyDone(...args);
    expect(code, stderr).toBe(0);
    expect(log(directory)).toEqual(whole);
  },
);
