import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openFinishedRun } from '../../../coordinator/finished-run.ts';
import { openStore, type Store } from '../../../coordinator/store/store.ts';
import { clearDirectory, clearRun } from '../../../scenarios/run-directory.ts';
import { aFederationConfig, aTinyRun, runTiny } from '../../support/a-run.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';
import { withCode } from '../../support/with-code.ts';

async function led(directory: string): Promise<Store> {
  const store = await openStore(directory);
  onTestFinished(() => store.close());
  return store;
}

const inUse = (directory: string): unknown =>
  expect.objectContaining({
    code: 'DIRECTORY_UNWRITABLE',
    message: expect.stringMatching(new RegExp(`${directory}.* in use`)) as unknown,
  });

describe('a run that a coordinator leads', () => {
  test('is led by no other, until it is closed', async () => {
    const directory = join(temporaryFolder(), 'run');
    const first = await openStore(directory);
    expect(await refusalOf(openStore(directory))).toEqual(inUse(directory));
    await first.close();
    await led(directory);
  });

  test('is not cleared away, alone, as one seed of several, or as a job of a sweep', async () => {
    for (const path of ['', 'seed-2', join('jobs', 'a', 'run')]) {
      const out = join(temporaryFolder(), 'out');
      const directory = join(out, path);
      mkdirSync(directory, { recursive: true });
      writeFileSync(join(out, 'seeds.json'), '[]');
      const store = await openStore(directory);
      for (const clear of [
        clearRun,
        (folder: string) => {
          clearDirectory(folder, ['jobs', 'seeds.json']);
        },
      ])
        expect(() => {
          clear(out);
        }).toThrow(inUse(directory));
      expect(await store.runId('tiny-1')).toBe('tiny-1');
      expect(existsSync(join(directory, 'coordinator.sqlite'))).toBe(true);
      await store.close();
      clearRun(out);
      expect(existsSync(out)).toBe(false);
    }
  });

  test('can be read meanwhile, and reading changes none of its files', async () => {
    const run = aTinyRun({ rounds: 2 });
    await runTiny(run);
    const store = await led(run.directory);
    const log = join(run.directory, 'rounds.jsonl');
    const before = [readFileSync(log, 'utf8'), statSync(log).ino];
    const { reports, config } = await openFinishedRun(run.directory);
    expect([reports.length, config]).toEqual([2, aFederationConfig({ rounds: 2 })]);
    expect([readFileSync(log, 'utf8'), statSync(log).ino]).toEqual(before);
    await store.begin(reports[0]!.round, []);
  });
});

test('a folder that cannot hold a lock is refused', async () => {
  const directory = join(temporaryFolder(), 'run');
  mkdirSync(join(directory, 'coordinator.sqlite.lock'), { recursive: true });
  await expect(openStore(directory)).rejects.toThrow(withCode('DIRECTORY_UNWRITABLE'));
});
