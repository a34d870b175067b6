import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { launchServe } from '../../../coordinator/serve/launch-serve.ts';
import { loadScenario } from '../../../scenarios/scenario.ts';
import { loadGrid } from '../../../scenarios/sweep/grid.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';
import { temporaryFolder } from '../../support/temporary.ts';

/** A file with this text. */
function fileOf(text: string): string {
  const file = join(temporaryFolder(), 'a.yaml');
  writeFileSync(file, text);
  return file;
}

const leaky = readFileSync('scenarios/catalog/leaky.yaml', 'utf8');
const base = `scenario: ${resolve('scenarios/catalog/leaky.yaml')}\n`;

describe('the seeds of a scenario, and of a grid', () => {
  test.each([
    [
      'a scenario',
      (seeds: string) => loadScenario(fileOf(`${leaky.replace(/^seeds:.*$/m, '')}\nseeds: ${seeds}\n`)),
    ],
    ['a grid', (seeds: string) => loadGrid(fileOf(`${base}seeds: ${seeds}\n`))],
  ])('of %s are different ones, since the same one gives the same run', (_, load) => {
    expect(load('[1, 3, 2]').seeds).toEqual([1, 3, 2]);
    for (const seeds of ['[1, 1]', '[3, 2, 3]'])
      expect(() => load(seeds)).toThrow(
        expect.objectContaining({
          code: 'CONFIG_INVALID',
          message: expect.stringMatching(/seeds: a seed is there twice/) as unknown,
        }),
      );
    expect(() => load('[]')).toThrow(/seeds: /);
  });
});

describe('a file that does not fit names the page that has its keys', () => {
  const running = { rng: seededRng(Seed.parse(1)), now: () => 0, note: () => undefined };
  test.each<[string, () => unknown, RegExp]>([
    ['a scenario', () => loadScenario(fileOf('x: 1')), /see docs\/scenarios\.md for/],
    ['a grid', () => loadGrid(fileOf('x: 1')), /see docs\/sweeps\.md for/],
  ])('%s', (_, load, page) => {
    expect(load).toThrow(page);
  });

  test('a server', async () => {
    await expect(launchServe('no-run', fileOf('x: 1'), running)).rejects.toThrow(/see docs\/serving\.md for/);
  });
});
