import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { AuditUsers, flipRoles, rosterOf } from '../../../client/audit-roles.ts';
import { openLedger } from '../../../client/ledger.ts';
import {
  drawMislabelled,
  packMislabelled,
  unpackMislabelled,
  withMislabelled,
} from '../../../client/mislabelled.ts';
import { type RunUsers, usersOf } from '../../../client/run-users.ts';
import { eligibleUsers } from '../../../client/site.ts';
import { selectUsers } from '../../../shared/data/partition.ts';
import { placesOf } from '../../../shared/data/places.ts';
import { decodedRoster, encodedRoster } from '../../../shared/protocol/roster.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';
import { aShard, aSite, run } from '../../support/a-site.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const seeds = fc.integer({ min: 1, max: 2 ** 31 }).map((seed) => seededRng(Seed.parse(seed)));
const shares = { fraction: 0.6, referenceFraction: 0.2 };
const audit = AuditUsers.parse({ ...shares, canaries: { mislabelled: 12 } });

function wanted(count: number): Pick<AuditUsers, 'canaries'> {
  return { canaries: { directions: 0, mislabelled: count } };
}

/** The same with three classes, so that wrong labels are a choice. */
function threeClasses(users: number): ReturnType<typeof aShard> {
  const shard = aShard(users);
  return { ...shard, numClasses: 3, labels: shard.labels.map((_, record) => record % 3) };
}

describe('mislabelled canaries', () => {
  test('copy audit users, and not one label is right', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 2, max: 40 }), fc.nat(60), (rng, users, count) => {
        const shard = threeClasses(users);
        const roles = flipRoles(shard, shares, rng);
        const canaries = drawMislabelled(shard, roles, wanted(count), rng);
        expect(canaries.sources).toHaveLength(roles.users.length === 0 ? 0 : count);
        expect([...canaries.sources].every((source) => roles.users.includes(source))).toBe(true);
        const originals = selectUsers(shard, canaries.sources);
        expect(canaries.labels).toHaveLength(originals.labels.length);
        canaries.labels.forEach((label, record) => {
          expect(label).not.toBe(originals.labels[record]);
          expect([0, 1, 2]).toContain(label);
        });
        const extended = withMislabelled(shard, canaries);
        expect(extended.features.subarray(shard.features.length)).toEqual(originals.features);
        expect(new Set(extended.userIds).size).toBe(extended.userIds.length);
        expect(unpackMislabelled(packMislabelled(canaries))).toEqual(canaries);
      }),
    );
  });

  test('are the same in a shadow federation, with other coins', () => {
    const shard = threeClasses(40);
    const rng = seededRng(Seed.parse(6));
    const roles = flipRoles(shard, shares, rng);
    const own = drawMislabelled(shard, roles, wanted(200), rng.fork('canaries'));
    const [one, two] = [1, 2].map((coins) =>
      drawMislabelled(shard, roles, { ...wanted(200), coins }, rng.fork('canaries')),
    );
    for (const shadow of [one!, two!])
      expect(shadow).toEqual({ ...own, roles: expect.any(Int32Array) as unknown });
    expect(one!.roles).not.toEqual(own.roles);
    expect(one!.roles).not.toEqual(two!.roles);
  });

  // Binomial: 4000 coins and 8000 labels; five standard errors, false alarm 1e-6 each.
  test('flip fair coins, and take every wrong class alike', () => {
    const shard = threeClasses(40);
    const rng = seededRng(Seed.parse(6));
    const { roles, labels, sources } = drawMislabelled(
      shard,
      flipRoles(shard, shares, rng),
      wanted(4000),
      rng,
    );
    expect(Math.abs(roles.filter((role) => role === 0).length - 2000)).toBeLessThan(5 * Math.sqrt(1000));
    const { labels: originals } = selectUsers(shard, sources);
    const next = labels.filter((label, record) => (label + 3 - originals[record]!) % 3 === 1).length;
    expect(Math.abs(next - labels.length / 2)).toBeLessThan(2.5 * Math.sqrt(labels.length));
    expect(roles.every((role) => role === 0 || role === 1)).toBe(true);
  });

  test('are the same after a restart, whatever the random source', async () => {
    const path = join(temporaryFolder(), 'ledger.sqlite');
    const life = async (seed: number): Promise<RunUsers> => {
      const ledger = await openLedger(path);
      const users = await usersOf(run, await aSite(30, { ledger, rng: seededRng(Seed.parse(seed)) }), audit);
      await ledger.close();
      return users;
    };
    const [first, second] = [await life(1), await life(2)];
    expect(second).toEqual(first);
    expect(first.canaries.size).toBe(12);
  });

  test('train as members, and are in no list of people', async () => {
    const site = await aSite(30);
    const users = await usersOf(run, site, audit);
    const members = [...users.canaries].filter((user) => users.trainable.includes(user));
    const heldOut = [...users.canaries].filter((user) => !users.trainable.includes(user));
    expect(members.length).toBeGreaterThan(0);
    expect(heldOut.length).toBeGreaterThan(0);
    const { userIds } = eligibleUsers({ ...site, ...users });
    expect(userIds.every((id) => site.shard.userIds.includes(id))).toBe(true);
    expect(userIds).toHaveLength(users.trainable.length - members.length);
    expect(await usersOf(run, site, audit)).toBe(users);
  });

  test('are named in the roster as a stratum of their own, and it comes back whole', async () => {
    const { shard, roles, canaries } = await usersOf(run, await aSite(30), audit);
    const places = placesOf(shard, roles.users, run);
    const facts = { declaredUsers: 20, privacy: 'private', places, mislabelled: canaries } as const;
    const roster = rosterOf(shard, roles, facts);
    expect(roster.strata!.filter((stratum) => stratum === 1)).toHaveLength(12);
    expect(decodedRoster(encodedRoster(roster, 2), 2)).toEqual(roster);
    const wrongs = [
      { strata: roster.strata!.slice(1) },
      { strata: roster.strata!.map(() => 2) },
      { places: { dims: 3, coordinates: places.coordinates } },
      { places: { dims: 2, coordinates: places.coordinates.slice(2) } },
      { places: { dims: 2, coordinates: places.coordinates.map(() => Number.NaN) } },
    ];
    for (const wrong of wrongs) expect(() => encodedRoster({ ...roster, ...wrong }, 2)).toThrow();
  });

  test('without any, nothing changes', async () => {
    const site = await aSite(30);
    const users = await usersOf(run, site, AuditUsers.parse(shares));
    expect(users.shard).toBe(site.shard);
    expect(users.canaries.size).toBe(0);
    const facts = { declaredUsers: 20, privacy: 'private', mislabelled: users.canaries } as const;
    expect(rosterOf(users.shard, users.roles, facts)).not.toHaveProperty('strata');
  });
});
