import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { AuditUsers } from '../../../client/audit-roles.ts';
import { openLedger } from '../../../client/ledger.ts';
import { type RunUsers, usersOf } from '../../../client/run-users.ts';
import type { Site } from '../../../client/site.ts';
import { selectUsers } from '../../../shared/data/partition.ts';
import type { Shard } from '../../../shared/data/shard.ts';
import { secureRng } from '../../../shared/random/rng.ts';
import { RunId } from '../../../shared/units.ts';
import { aShard, aSite, run } from '../../support/a-site.ts';
import { temporaryFolder } from '../../support/temporary.ts';
import { withCode } from '../../support/with-code.ts';

const audit = AuditUsers.parse({ fraction: 0.5, canaries: { mislabelled: 3 } });
const everybody = (shard: Shard, order: (users: number[]) => number[]): Shard =>
  selectUsers(shard, Int32Array.from(order([...shard.userIds.keys()])));

/** A site that has begun a run and is started again, for each table that it then loads. */
async function restarted(): Promise<{
  before: RunUsers;
  load: (shard: Shard, of?: RunId) => Promise<RunUsers>;
}> {
  const path = join(temporaryFolder(), 'ledger.sqlite');
  const rng = secureRng();
  const first = await openLedger(path);
  const before = await usersOf(run, await aSite(30, { ledger: first, rng }), audit);
  await first.close();
  return {
    before,
    load: async (shard, of = run) => {
      const ledger = await openLedger(path);
      const site: Site = await aSite(30, { ledger, rng, shard });
      return usersOf(of, site, audit).finally(() => ledger.close());
    },
  };
}

describe('a site whose table is loaded anew during a run', () => {
  test('goes on with the same roles where it is the same, also with corrected features', async () => {
    const { before, load } = await restarted();
    const shard = aShard(30);
    expect((await load(shard)).roles).toEqual(before.roles);
    const corrected = { ...shard, features: shard.features.map((value) => value + 1) };
    expect((await load(corrected)).roles).toEqual(before.roles);
  });

  test.each<[string, (shard: Shard) => Shard]>([
    ['a new user in front', (shard) => ({ ...shard, userIds: ['patient new', ...shard.userIds.slice(1)] })],
    ['a user less', (shard) => everybody(shard, (users) => users.slice(1))],
    ['a user more', () => aShard(31)],
    ['another order', (shard) => everybody(shard, (users) => users.reverse())],
    [
      'another label',
      (shard) => ({ ...shard, labels: shard.labels.map((label, at) => (at ? label : 1 - label)) }),
    ],
    [
      'a record more for one and less for another',
      (shard) => ({
        ...shard,
        userOffsets: shard.userOffsets.map((offset, user) => (user === 2 ? offset - 1 : offset)),
      }),
    ],
  ])('refuses %s: the roles would be other people', async (_, change) => {
    const { load } = await restarted();
    await expect(load(change(aShard(30)))).rejects.toEqual(withCode('RUN_MISMATCH'));
  });

  test('draws new roles for the next run, whatever the table is', async () => {
    const { load } = await restarted();
    const users = await load(aShard(31), RunId.parse('run-2'));
    expect(users.shard.userIds.slice(0, 31)).toEqual(aShard(31).userIds);
  });
});
