import { join } from 'node:path';
import Database from 'libsql';
import { expect, test, vi } from 'vitest';
import { aFederation } from '../support/a-federation.ts';
import { mortalParley } from '../support/mortal.ts';

const started = mortalParley();

const timeout = 240_000;

test(
  'a coordinator that cannot store ends with its error; its sites hear none of it, wait, and finish the run with it',
  async () => {
    const files = await aFederation({ federation: { rounds: 1 } });
    const broken = started('coordinator', files.coordinator);
    await vi.waitUntil(() => broken.stderr().includes('listening on'), { timeout: 60_000 });
    // To whoever writes, a database in another's hands is what a full disk is: SQLite refuses the write.
    const holder = new Database(join(files.directory, 'coordinator.sqlite'));
    holder.exec('begin immediate');
    const clients = files.sites.map(({ config }) => started('client', config));
    expect(await broken.exited, broken.stderr()).toBe(7);
    expect(broken.stderr()).toMatch(/parley: DIRECTORY_UNWRITABLE: the run's database .*coordinator\.sqlite/);
    holder.exec('rollback');
    holder.close();
    expect(clients.map(({ child }) => child.exitCode)).toEqual([null, null, null]);
    const mended = started('coordinator', files.coordinator);
    const codes = await Promise.all([mended, ...clients].map(({ exited }) => exited));
    expect(codes, clients.map((client) => client.stderr()).join('\n')).toEqual([0, 0, 0, 0]);
    for (const client of clients) expect(client.stderr()).not.toMatch(/sqlite|DIRECTORY_UNWRITABLE/);
  },
  timeout,
);
