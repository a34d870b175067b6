import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test, vi } from 'vitest';
import { aFederation } from '../support/a-federation.ts';
import { mortalParley } from '../support/mortal.ts';
import { freePort, type ParleyProcess, parleyDone } from '../support/processes.ts';

const started = mortalParley();

/** Start a coordinator and wait until it listens. */
async function listening(config: string): Promise<ParleyProcess> {
  const coordinator = started('coordinator', config);
  await vi.waitUntil(() => coordinator.stderr().includes('listening on'), { timeout: 60_000 });
  return coordinator;
}

test('a second coordinator and --overwrite are kept off a run in use; a kill gives it free', async () => {
  const files = await aFederation();
  const beside = join(files.folder, 'beside.yaml');
  const config = JSON.parse(readFileSync(files.coordinator, 'utf8')) as object;
  writeFileSync(beside, JSON.stringify({ ...config, listen: { port: await freePort() } }));
  const first = await listening(files.coordinator);
  const scenario = 'scenarios/catalog/four-hospitals.yaml';
  for (const args of [
    ['coordinator', beside],
    ['simulate', scenario, '--out', files.directory, '--overwrite'],
  ]) {
    const { code, stderr } = await parleyDone(...args);
    expect(code, stderr).toBe(7);
    expect(stderr).toMatch(/DIRECTORY_UNWRITABLE: the run .* is in use/);
  }
  expect(existsSync(join(files.directory, 'coordinator.sqlite'))).toBe(true);
  await first.kill('SIGKILL');
  await listening(beside);
});

test('a damaged run ends a coordinator and an audit by a code, without a stack', async () => {
  const files = await aFederation();
  const first = await listening(files.coordinator);
  await first.kill('SIGKILL');
  const database = join(files.directory, 'coordinator.sqlite');
  // SQLite's log would bring the database back.
  for (const log of ['-wal', '-shm']) rmSync(database + log);
  writeFileSync(database, 'not a database '.repeat(600));
  for (const args of [
    ['coordinator', files.coordinator],
    ['audit', files.directory],
  ]) {
    const { code, stderr } = await parleyDone(...args);
    expect(code, stderr).toBe(6);
    expect(stderr).toContain('RUN_NOT_FOUND');
    expect(stderr).not.toMatch(/INTERNAL|^ +at /m);
  }
});
