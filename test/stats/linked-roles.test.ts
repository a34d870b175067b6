import { describe, expect, test } from 'vitest';
import { rolesFor } from '../../client/audit-roles.ts';
import { linkageKeyFrom } from '../../shared/crypto/pseudonym.ts';
import { pseudonymList, weightTables } from '../../shared/data/linkage.ts';
import { linkageOf } from '../../shared/data/linked-users.ts';
import { seededRng } from '../../shared/random/rng.ts';
import { clopperPearson } from '../../shared/stats/interval.ts';
import { RunId, Seed, SiteId } from '../../shared/units.ts';
import { aShard } from '../support/a-site.ts';

// Keys are fixed, so every outcome repeats. Each share is held against an interval that covers the truth with probability
// 1 - 1e-6 or more (Clopper and Pearson), so each comparison's false-alarm probability over keys is at most 1e-6.

const rng = seededRng(Seed.parse(1));
const audit = { fraction: 0.5, referenceFraction: 0.2 };
const userIds = Array.from({ length: 12_000 }, (_, user) => `${100_000 + user}`);
const run = RunId.parse('run-1');

/** Roles of the people at two sites, by person, each from the site that audits her; the second site has every second one. */
function flipped(keyByte: number, of = run): (number | undefined)[] {
  const key = linkageKeyFrom(new Uint8Array(32).fill(keyByte));
  const sites = [userIds, userIds.filter((_, user) => user % 2 === 0)].map((ids, index) => ({
    site: SiteId.parse(`site-${index}`),
    ...{ key, audit },
    userIds: ids,
  }));
  const tables = weightTables(sites.map((site) => pseudonymList(site)));
  const found = new Map<string, number>();
  sites.forEach((site, index) => {
    const source = { shard: aShard(1), rng, linkage: linkageOf(tables[index]!, site) };
    const { users, roles } = rolesFor(of, source, audit);
    users.forEach((user, place) => found.set(site.userIds[user]!, roles[place]!));
  });
  return userIds.map((id) => found.get(id));
}

const roles = [...flipped(1), ...flipped(2)];

function expectShare(hits: readonly boolean[], expected: number): void {
  const { low, high } = clopperPearson(hits.filter(Boolean).length, hits.length, 1 - 1e-6);
  // So narrow that a share off by a tenth would show.
  expect(high - low).toBeLessThan(0.1);
  expect(expected).toBeGreaterThanOrEqual(low);
  expect(expected).toBeLessThanOrEqual(high);
}

const member = (list: readonly (number | undefined)[]): boolean[] =>
  list.filter((role) => role === 0 || role === 1).map((role) => role === 0);

describe('keyed audit roles', () => {
  test('make as many audit and reference users as configured, and fair coins between member and held-out', () => {
    expectShare(
      roles.map((role) => role !== undefined),
      0.5,
    );
    expectShare(
      roles.filter((role) => role !== undefined).map((role) => role === 2),
      0.2,
    );
    expectShare(member(roles), 0.5);
  });

  test('are as fair among people at two sites as among the others', () => {
    for (const parity of [0, 1]) {
      const group = roles.filter((_, user) => user % 2 === parity);
      expectShare(member(group), 0.5);
      expectShare(
        group.map((role) => role !== undefined),
        0.5,
      );
    }
  });

  test("say nothing of the next person's coin, nor of the same person's in another run or under another key", () => {
    const agree = (others: readonly (number | undefined)[]): boolean[] =>
      roles.flatMap((role, user) => {
        const other = others[user];
        const both = [role, other].every((value) => value === 0 || value === 1);
        return both ? [role === other] : [];
      });
    const anotherRun = RunId.parse('run-2');
    expectShare(agree(roles.slice(1)), 0.5);
    expectShare(agree([...flipped(1, anotherRun), ...flipped(2, anotherRun)]), 0.5);
    expectShare(agree([...flipped(3), ...flipped(4)]), 0.5);
  });

  test('of people at both sites are audited at either equally often', () => {
    const key = linkageKeyFrom(new Uint8Array(32).fill(9));
    const lists = ['a', 'b'].map((name) =>
      pseudonymList({ site: SiteId.parse(name), key, audit, userIds: userIds.slice(0, 5000) }),
    );
    expectShare(
      weightTables(lists)[0]!.users.map(([, , here]) => here),
      0.5,
    );
  });
});
