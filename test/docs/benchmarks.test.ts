import { execFileSync, spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { Measurement } from '../../bench/part.ts';
import { parts } from '../../bench/parts.ts';
import { read } from './documents.ts';

const bench = ['--import', 'tsx', 'bench/index.ts'];

// Some fifteen seconds by itself; other work on the machine must not fail it.
test('every part of the benchmark still runs, and its lines are measurements', { timeout: 400_000 }, () => {
  const args = [...bench, '--quick', '--json'];
  const text = execFileSync(process.execPath, args, { encoding: 'utf8' });
  const measurements = text
    .trim()
    .split('\n')
    .map((line) => Measurement.parse(JSON.parse(line)));
  const names = parts.map(({ name }) => name).filter((name) => name !== 'yardstick');
  expect([...new Set(measurements.map(({ part }) => part))]).toEqual(names);
  const keys = measurements.map(({ part, name }) => `${part}: ${name}`);
  expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
});

test('without Python the yardstick is skipped with a clear line', () => {
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [...bench, '--quick', '--json', '--only', 'yardstick'],
    { encoding: 'utf8', env: { ...process.env, PARLEY_PYTHON: 'no-such-python' } },
  );
  expect([status, stdout]).toEqual([0, '']);
  expect(stderr).toMatch(/^yardstick: skipped: Python with numpy is needed .*no-such-python/);
});

test('a part that does not exist is refused', () => {
  const { status, stderr } = spawnSync(process.execPath, [...bench, '--only', 'trian'], { encoding: 'utf8' });
  expect([status, stderr]).toEqual([2, 'no part is called trian: see --help\n']);
});

test('the help and docs/performance.md name every part', () => {
  const help = execFileSync(process.execPath, [...bench, '--help'], { encoding: 'utf8' });
  const page = read('docs/performance.md');
  for (const { name, about } of parts) {
    expect(help).toContain(about);
    expect(page).toContain(`\`${name}\``);
  }
});
