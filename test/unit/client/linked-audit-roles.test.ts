import { describe, expect, test } from 'vitest';
import { flipRoles, packRoles, rolesFor, unpackRoles } from '../../../client/audit-roles.ts';
import { trainableUsers } from '../../../client/site.ts';
import { linkageKeyFrom } from '../../../shared/crypto/pseudonym.ts';
import { pseudonymList, weightTables } from '../../../shared/data/linkage.ts';
import { linkageOf } from '../../../shared/data/linked-users.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { RunId, Seed, SiteId } from '../../../shared/units.ts';
import { aShard } from '../../support/a-site.ts';

describe('the audit roles of linked users', () => {
  const key = linkageKeyFrom(new Uint8Array(32).fill(5));
  const audit = { fraction: 0.5, referenceFraction: 0.3 };
  const rng = seededRng(Seed.parse(3));
  const people = Array.from({ length: 60 }, (_, user) => `patient ${user}`);
  /** Three sites: person p is at sites p % 3, at p % 2, and, every fifth, at all. */
  const isAt = (person: number, site: number): boolean =>
    person % 3 === site || person % 2 === site || person % 5 === 0;

  /** Role of each person at each of the sites where she is: 'apart' where she only must not train. */
  function rolesAt(
    ids: readonly string[],
    run = 'run-1',
  ): Map<string, Map<number, number | 'apart' | 'trains'>> {
    const sites = [0, 1, 2].map((index) => ({
      site: SiteId.parse(`site-${index}`),
      ...{ key, audit },
      userIds: ids.filter((id) => isAt(Number(id.split(' ')[1]), index)),
    }));
    const tables = weightTables(sites.map((site) => pseudonymList(site)));
    const found = new Map<string, Map<number, number | 'apart' | 'trains'>>(ids.map((id) => [id, new Map()]));
    sites.forEach((site, index) => {
      const shard = { ...aShard(site.userIds.length), userIds: site.userIds };
      const linkage = linkageOf(tables[index]!, site);
      const roles = rolesFor(RunId.parse(run), { shard, rng, linkage }, audit);
      expect(unpackRoles(packRoles(roles))).toEqual(
        roles.heldOutElsewhere!.length > 0 ? roles : { users: roles.users, roles: roles.roles },
      );
      const trainable = new Set(trainableUsers(shard, roles));
      site.userIds.forEach((id, user) => {
        const role = roles.roles[roles.users.indexOf(user)];
        found.get(id)!.set(index, role ?? (trainable.has(user) ? 'trains' : 'apart'));
        expect(trainable.has(user)).toBe(
          role === undefined ? !roles.heldOutElsewhere!.includes(user) : role === 0,
        );
      });
    });
    return found;
  }

  test('are one role for a person: audited at one site, and at the others in training or not as that role says', () => {
    const seen = new Set<number | undefined>();
    for (const roles of rolesAt(people).values()) {
      const audited = [...roles.values()].filter((role) => typeof role === 'number');
      expect(audited.length).toBeLessThanOrEqual(1);
      const others = [...roles.values()].filter((role) => typeof role !== 'number');
      const trains = audited.length === 0 || audited[0] === 0;
      for (const other of others) expect(other).toBe(trains ? 'trains' : 'apart');
      if (roles.size > 1) seen.add(audited[0]);
    }
    // Of forty people at several sites, every role and none.
    expect(seen).toEqual(new Set([undefined, 0, 1, 2]));
  });

  test('do not depend on who else is in the data, and change with the run', () => {
    const before = rolesAt(people);
    for (const removed of ['patient 0', 'patient 7', 'patient 59']) {
      const without = rolesAt(people.filter((id) => id !== removed));
      const others = new Map([...before].filter(([id]) => id !== removed));
      expect(without).toEqual(others);
    }
    expect(rolesAt(people, 'run-2')).not.toEqual(before);
  });

  test('of a site that is not linked are its own coins', () => {
    const shard = aShard(40);
    const run = RunId.parse('run-1');
    expect(rolesFor(run, { shard, rng }, audit)).toEqual(flipRoles(shard, audit, rng.fork('audit roles')));
  });
});
