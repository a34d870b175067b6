import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { linkageKeyFrom } from '../../../shared/crypto/pseudonym.ts';
import {
  type LinkedSite,
  listHash,
  PseudonymList,
  pseudonymList,
  uniformWeight,
  WeightTable,
  weightTables,
} from '../../../shared/data/linkage.ts';
import { type Linkage, linkageOf } from '../../../shared/data/linked-users.ts';
import { SiteId } from '../../../shared/units.ts';

const key = linkageKeyFrom(new Uint8Array(32).fill(7));
const audit = { fraction: 0.2, referenceFraction: 0.1 };

function aSite(name: string, userIds: readonly string[], change: Partial<LinkedSite> = {}): LinkedSite {
  return { site: SiteId.parse(name), key, audit, userIds, ...change };
}

const invalid = (text: string): unknown =>
  expect.objectContaining({ code: 'LINKAGE_INVALID', message: expect.stringContaining(text) as unknown });

/** People by where they are: each a set of up to nine sites. */
const federations = fc
  .array(fc.uniqueArray(fc.integer({ min: 0, max: 8 }), { minLength: 1, maxLength: 9 }), {
    minLength: 1,
    maxLength: 30,
  })
  .map((people) => {
    const sites = [...new Set(people.flat())].sort((a, b) => a - b);
    return sites.map((site) =>
      aSite(
        `site-${site}`,
        people.flatMap((at, person) => (at.includes(site) ? [`person ${person}`] : [])),
      ),
    );
  });

/** Every linkage by site name, as each site loads it. */
function linked(sites: readonly LinkedSite[]): Map<string, Linkage> {
  const tables = weightTables(sites.map((site) => pseudonymList(site)));
  return new Map(sites.map((site, index) => [site.site, linkageOf(tables[index]!, site)]));
}

/** A person's entries at all sites. */
function entriesOf(
  sites: readonly LinkedSite[],
  person: string,
): { site: string; weight: number; here: boolean }[] {
  const linkages = linked(sites);
  return sites.flatMap(({ site, userIds }) => {
    const at = userIds.indexOf(person);
    const linkage = linkages.get(site)!;
    return at < 0 ? [] : [{ site, weight: linkage.weights[at]!, here: linkage.auditedHere[at]! }];
  });
}

const people = (sites: readonly LinkedSite[]): string[] => [
  ...new Set(sites.flatMap(({ userIds }) => userIds)),
];

/** A float64 as an exact multiple of 2^-60. */
const exact = (weight: number): bigint => BigInt(weight * 2 ** 60);

describe('weights', () => {
  test('of one person: equal, and exactly at most 1 together, in every order of addition', () => {
    fc.assert(
      fc.property(federations, (sites) => {
        for (const person of people(sites)) {
          const weights = entriesOf(sites, person).map(({ weight }) => weight);
          const sum = weights.reduce((total, weight) => total + exact(weight), 0n);
          expect(sum <= 2n ** 60n).toBe(true);
          expect(weights.reduce((total, weight) => total + weight)).toBeLessThanOrEqual(1);
          expect(new Set(weights).size).toBe(1);
          expect(weights[0]).toBeCloseTo(1 / weights.length, 8);
        }
      }),
      { numRuns: 30 },
    );
  });

  test('are 1/n rounded down, so that n of them never exceed 1 and float32 coordinates times them are exact', () => {
    expect([1, 2, 3, 4].map(uniformWeight)).toEqual([1, 0.5, 178956970 / 2 ** 29, 0.25]);
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 2 ** 20 }),
        fc.float({ noNaN: true, noDefaultInfinity: true }),
        (n, value) => {
          const weight = uniformWeight(n);
          expect(BigInt(n) * exact(weight) <= 2n ** 60n).toBe(true);
          expect(BigInt(n) * (exact(weight) + 2n ** 31n) > 2n ** 60n).toBe(true);
          // 24 bits times at most 29: the product has no rounding, so dividing gives the coordinate back.
          expect((value * weight) / weight).toBe(value);
          expect(Math.abs(value * weight)).toBeLessThanOrEqual(Math.abs(value) / n);
        },
      ),
    );
  });

  test('a person in all, in one, in two of three sites', () => {
    const sites = [aSite('a', ['all', 'two']), aSite('b', ['all', 'one']), aSite('c', ['two', 'all'])];
    expect(entriesOf(sites, 'all').map(({ weight }) => weight)).toEqual(Array(3).fill(uniformWeight(3)));
    expect(entriesOf(sites, 'one').map(({ weight }) => weight)).toEqual([1]);
    expect(entriesOf(sites, 'two').map(({ site, weight }) => [site, weight])).toEqual([
      ['a', 0.5],
      ['c', 0.5],
    ]);
  });

  test('exactly one of a person’s sites audits her', () => {
    fc.assert(
      fc.property(federations, (sites) => {
        for (const person of people(sites))
          expect(entriesOf(sites, person).filter(({ here }) => here)).toHaveLength(1);
      }),
      { numRuns: 30 },
    );
  });

  test('do not depend on the order of the lists, nor on the order of users', () => {
    fc.assert(
      fc.property(federations, (sites) => {
        const lists = sites.map((site) => pseudonymList(site));
        const turned = sites
          .map((site) => pseudonymList({ ...site, userIds: site.userIds.toReversed() }))
          .reverse();
        expect(weightTables(turned).toReversed()).toEqual(weightTables(lists));
      }),
      { numRuns: 30 },
    );
  });

  test('of everybody else are the same without one person', () => {
    fc.assert(
      fc.property(federations, (sites) => {
        const [removed, ...others] = people(sites);
        const without = sites
          .map((site) => ({ ...site, userIds: site.userIds.filter((id) => id !== removed) }))
          .filter(({ userIds }) => userIds.length > 0);
        for (const person of others) expect(entriesOf(without, person)).toEqual(entriesOf(sites, person));
      }),
      { numRuns: 20 },
    );
  });

  test('tell a site of its own users only', () => {
    const sites = [aSite('a', ['x', 'y']), aSite('b', ['y', 'z'])];
    const [ofA] = weightTables(sites.map((site) => pseudonymList(site)));
    expect(ofA!.users.map(([name]) => name)).toEqual(pseudonymList(sites[0]!).pseudonyms);
    expect(WeightTable.parse(JSON.parse(JSON.stringify(ofA)))).toEqual(ofA);
  });

  test('of 10^5 users, half of them at two sites, take seconds', () => {
    const ids = Array.from({ length: 100_000 }, (_, user) => `patient ${user}`);
    const started = performance.now();
    const sites = [aSite('a', ids), aSite('b', ids.slice(50_000))];
    const linkages = linked(sites);
    expect(performance.now() - started).toBeLessThan(20_000);
    expect(linkages.get('a')!.weights[0]).toBe(1);
    expect(linkages.get('b')!.weights.at(-1)).toBe(0.5);
  });
});

describe('lists that do not belong together', () => {
  const list = (name: string, change: Partial<LinkedSite> = {}): PseudonymList =>
    pseudonymList(aSite(name, ['x', 'y'], change));

  test('two of one site, of different keys, of different audit shares', () => {
    const foreign = { key: linkageKeyFrom(new Uint8Array(32).fill(8)) };
    expect(() => weightTables([list('a'), list('b'), list('a')])).toThrow(invalid('two lists are of site a'));
    expect(() => weightTables([list('a'), list('b', foreign)])).toThrow(invalid('different keys'));
    const shares = { audit: { ...audit, fraction: 0.3 } };
    expect(() => weightTables([list('a'), list('b', shares)])).toThrow(invalid('one role everywhere'));
  });

  test('a list with a pseudonym twice, out of order or empty is no list', () => {
    const { pseudonyms, ...rest } = list('a');
    const parses = (names: readonly string[]): boolean =>
      PseudonymList.safeParse({ ...rest, pseudonyms: names }).success;
    expect(parses(pseudonyms)).toBe(true);
    expect(parses([pseudonyms[0]!, pseudonyms[0]!])).toBe(false);
    expect(parses(pseudonyms.toReversed())).toBe(false);
    expect(parses([])).toBe(false);
    expect(parses([pseudonyms[0]!.slice(1)])).toBe(false);
    expect(PseudonymList.safeParse({ ...rest, pseudonyms, version: 2 }).success).toBe(false);
  });

  test('a linkage has an id of its own', () => {
    const id = (lists: readonly PseudonymList[]): unknown => weightTables(lists)[0]!.linkage;
    expect(id([list('a'), list('b')])).toBe(id([list('b'), list('a')]));
    expect(id([list('a'), list('b')])).not.toBe(id([list('a')]));
    expect(listHash(list('a'))).not.toBe(listHash(list('b')));
  });
});

describe('a table that does not fit the site', () => {
  const here = aSite('a', ['x', 'y']);
  const table = weightTables([pseudonymList(here), pseudonymList(aSite('b', ['y', 'z']))])[0]!;

  test('fits the site that it was made for, in any order of its users', () => {
    expect(linkageOf(table, here).weights).toEqual(Float64Array.of(1, 0.5));
    expect(linkageOf(table, { ...here, userIds: ['y', 'x'] }).weights).toEqual(Float64Array.of(0.5, 1));
  });

  test.each<[string, Partial<LinkedSite>, string]>([
    ['of another site', { site: SiteId.parse('c') }, 'is of site a, this is c'],
    ['with another key', { key: linkageKeyFrom(new Uint8Array(32)) }, 'another key'],
    ['with other audit shares', { audit: { fraction: 0.2, referenceFraction: 0 } }, 'agreed on'],
    ['with a new user', { userIds: ['x', 'y', 'new'] }, 'lacks 1 of'],
    ['with another user instead', { userIds: ['x', 'new'] }, 'lacks 1 of'],
    ['without a user', { userIds: ['x'] }, 'other data'],
  ])('is refused %s', (_, change, complaint) => {
    expect(() => linkageOf(table, { ...here, ...change })).toThrow(invalid(complaint));
  });

  test('is refused with a hash or a user changed', () => {
    expect(() => linkageOf({ ...table, list: table.linkage }, here)).toThrow(invalid('other data'));
    expect(() => linkageOf({ ...table, users: table.users.slice(1) }, here)).toThrow(invalid('lacks 1 of'));
  });

  test.each([0, -0.5, 1.0000001, NaN, Infinity, '0.5'])('is no table with a weight of %s', (weight) => {
    const [first, ...rest] = table.users;
    const changed = { ...table, users: [[first![0], weight, true], ...rest] };
    expect(WeightTable.safeParse(table).success).toBe(true);
    expect(WeightTable.safeParse(changed).success).toBe(false);
  });
});
