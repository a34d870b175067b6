import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { launchClient } from '../../../client/launch.ts';
import { loadLinkage } from '../../../client/linkage.ts';
import { createLinkageKey, writePseudonyms, writeWeights } from '../../../client/linkage-command.ts';
import { secureRng } from '../../../shared/random/rng.ts';
import { SiteId } from '../../../shared/units.ts';
import { type SiteFiles, siteFiles } from '../../support/a-run.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';

const names = ['east', 'west', 'far'] as const;
let folder: string;
let sites: readonly SiteFiles[];

const inFolder = (file: string): string => join(folder, file);
const listOf = (name: string): string => inFolder(`lists/${name}.json`);
const read = (file: string): string => readFileSync(file, 'utf8');

/** Three sites: `shared` is at all, `two` at east and west; each has a user of its own. */
beforeEach(async () => {
  folder = temporaryFolder();
  createLinkageKey(inFolder('key.json'), secureRng());
  const linkage = { key: '../../key.json', weights: 'weights.json' };
  sites = names.map((name) => siteFiles(folder, name, { client: { linkage } }));
  for (const { config, id } of sites) {
    const people = ['shared', `only-${id}`, ...(id === 'far' ? [] : ['two'])];
    const rows = people.flatMap((person) => [`${person},0.5,-0.5,yes\n`, `${person},0.25,1,no\n`]);
    writeFileSync(join(dirname(config), 'data.csv'), `patient,a,b,ill\n${rows.join('')}`);
    await writePseudonyms(config, listOf(id));
  }
});

/** The last step, and each site's table where its configuration expects it. */
function link(lists: readonly string[] = names.map(listOf)): string {
  const { linkage, files } = writeWeights(lists, inFolder('out'));
  for (const file of files) {
    const site = sites.find(({ id }) => file.endsWith(`${id}.json`))!;
    writeFileSync(join(dirname(site.config), 'weights.json'), read(file));
  }
  return linkage;
}

const site = (name: string): SiteFiles => sites.find(({ id }) => id === name)!;

/** Start a site that must not get as far as connecting; what it was refused with. */
async function started(name: string, notes: string[] = []): Promise<unknown> {
  return refusalOf(
    launchClient(site(name).config, {
      observer: { note: (text) => notes.push(text), report: () => undefined },
      signal: AbortSignal.abort(),
      connect: () => ({
        request: () => Promise.reject(new Error('nobody is there')),
        close: () => Promise.resolve(),
      }),
    }),
  );
}

const invalid = (text: string): unknown =>
  expect.objectContaining({ code: 'LINKAGE_INVALID', message: expect.stringContaining(text) as unknown });

describe('three sites that link their users', () => {
  test('give each person weights that add up to 1, and each site what it needs to load them', () => {
    const id = link();
    const load = (name: string, userIds: readonly string[]) =>
      loadLinkage(
        { key: inFolder('key.json'), weights: join(dirname(site(name).config), 'weights.json') },
        { site: SiteId.parse(name), audit: { fraction: 0.6, referenceFraction: 0.1 }, userIds },
      );
    const third = Math.floor(2 ** 29 / 3) / 2 ** 29;
    const east = load('east', ['shared', 'only-east', 'two']);
    expect(east.linkage.weights).toEqual(Float64Array.of(third, 1, 0.5));
    expect(load('far', ['shared', 'only-far']).linkage.weights).toEqual(Float64Array.of(third, 1));
    expect(east.id).toBe(id);
  });

  test('start with it, and show which linkage they have', async () => {
    const id = link();
    for (const name of names) {
      const notes: string[] = [];
      expect(await started(name, notes)).toMatchObject({ code: 'INTERRUPTED' });
      expect(notes[0]).toContain(id);
    }
  });

  test('leave nobody else a file to read, no user id in any of them, and each other’s users to themselves', () => {
    link();
    const tables = names.map((name) => inFolder(`out/${name}.json`));
    for (const file of [inFolder('key.json'), ...names.map(listOf), ...tables]) {
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(read(file)).not.toMatch(/shared|only|two/);
    }
    const own = JSON.parse(read(listOf('far'))) as { pseudonyms: string[] };
    expect(
      read(tables[2]!)
        .match(/[0-9a-f]{64}/g)!
        .filter((text) => own.pseudonyms.includes(text)),
    ).toHaveLength(2);
    expect(read(tables[2]!).length).toBeLessThan(read(tables[0]!).length);
  });

  test('get the same tables whatever the order of the lists', () => {
    const before = link();
    const tables = names.map((name) => read(inFolder(`out/${name}.json`)));
    expect(link(names.map(listOf).toReversed())).toBe(before);
    expect(names.map((name) => read(inFolder(`out/${name}.json`)))).toEqual(tables);
  });
});

describe('a site does not start', () => {
  test('without its table, and writes its list all the same', async () => {
    expect(existsSync(listOf('east'))).toBe(true);
    expect(await started('east')).toMatchObject({ code: 'FILE_NOT_FOUND' });
  });

  test('with the table of another site', async () => {
    link();
    writeFileSync(join(dirname(site('east').config), 'weights.json'), read(inFolder('out/west.json')));
    expect(await started('east')).toEqual(invalid('is of site west'));
  });

  test('with a user who came after the table was made, or without one who left', async () => {
    link();
    const data = join(dirname(site('east').config), 'data.csv');
    const before = read(data);
    writeFileSync(data, `${before}new,0,0,yes\n`);
    expect(await started('east')).toEqual(invalid('lacks 1 of'));
    writeFileSync(data, before.replaceAll(/^two.*\n/gm, ''));
    expect(await started('east')).toEqual(invalid('other data'));
    expect(existsSync(site('east').ledger)).toBe(false);
  });

  test('with another key than the others', async () => {
    link();
    createLinkageKey(inFolder('other.json'), secureRng());
    writeFileSync(inFolder('key.json'), read(inFolder('other.json')));
    expect(await started('east')).toEqual(invalid('another key'));
  });

  test('with other audit shares than the lists were made with', async () => {
    link();
    const { config } = site('west');
    writeFileSync(
      config,
      JSON.stringify({ ...(JSON.parse(read(config)) as object), audit: { fraction: 0.5 } }),
    );
    expect(await started('west')).toEqual(invalid('audit shares'));
  });

  test('with a table cut short at any quarter, or of another kind', async () => {
    link();
    const table = join(dirname(site('east').config), 'weights.json');
    const whole = read(table);
    for (const share of [0, 0.25, 0.5, 0.75, 1 - 2 / whole.length]) {
      writeFileSync(table, whole.slice(0, Math.floor(share * whole.length)));
      expect(await started('east')).toEqual(invalid('no whole file'));
    }
    writeFileSync(table, read(listOf('east')));
    expect(await started('east')).toEqual(invalid('no whole file'));
  });
});

describe('lists that cannot be linked', () => {
  test('of a site that has another key', async () => {
    createLinkageKey(inFolder('other.json'), secureRng());
    const { config } = site('far');
    const linkage = { key: '../../other.json', weights: 'weights.json' };
    writeFileSync(config, JSON.stringify({ ...(JSON.parse(read(config)) as object), linkage }));
    await writePseudonyms(config, listOf('far'));
    expect(() => link()).toThrow(invalid('different keys'));
  });

  test('given twice, cut short, or with a person twice', () => {
    expect(() => link([...names.map(listOf), listOf('far')])).toThrow(invalid('two lists are of site far'));
    const whole = read(listOf('east'));
    writeFileSync(listOf('east'), whole.slice(0, -40));
    expect(() => link()).toThrow(invalid('no whole file'));
    const list = JSON.parse(whole) as { pseudonyms: string[] };
    writeFileSync(
      listOf('east'),
      JSON.stringify({ ...list, pseudonyms: [list.pseudonyms[0], ...list.pseudonyms] }),
    );
    expect(() => link()).toThrow(invalid('ascend'));
  });

  test('of a site whose configuration names no linkage', async () => {
    const { config } = siteFiles(folder, 'alone');
    expect(await refusalOf(writePseudonyms(config, listOf('alone')))).toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });

  test('a key is never overwritten', () => {
    const before = read(inFolder('key.json'));
    expect(() => createLinkageKey(inFolder('key.json'), secureRng())).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
    expect(read(inFolder('key.json'))).toBe(before);
  });
});
