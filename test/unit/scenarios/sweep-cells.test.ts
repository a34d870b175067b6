import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadGrid } from '../../../scenarios/sweep/grid.ts';
import { sweepOf } from '../../../scenarios/sweep/jobs.ts';
import { merged, withValueAt } from '../../../scenarios/sweep/merge.ts';
import { defenceTypes } from '../../../shared/model/defence.ts';
import { siloTypes } from '../../../shared/model/silo/silo-defence.ts';
import { catalogueFiles } from '../../support/catalogue.ts';
import { temporaryFolder } from '../../support/temporary.ts';

/** The sweep of a grid file with this text beside nothing; `leaky` is the catalogue's scenario. */
function sweep(text: string) {
  const file = join(temporaryFolder(), 'grid.yaml');
  writeFileSync(file, text.replaceAll('CATALOG', resolve('scenarios/catalog')));
  return sweepOf(loadGrid(file), '0.1.0');
}

const base = 'scenario: CATALOG/leaky.yaml\n';

describe('laying one mapping over another', () => {
  test('merges mappings, replaces all else, null removes', () => {
    expect(merged({ a: { b: 1, c: [1, 2] }, d: 4 }, { a: { c: [3] }, d: null, e: 5 })).toEqual({
      a: { b: 1, c: [3] },
      e: 5,
    });
  });

  test('replaces a mapping of another type whole, and merges one of the same', () => {
    const protection = { type: 'user-dp', clipNorm: 1, epsilon: 4 };
    expect(merged({ protection }, { protection: { type: 'none' } })).toEqual({
      protection: { type: 'none' },
    });
    expect(merged({ protection }, { protection: { type: 'user-dp', clipNorm: 2 } })).toEqual({
      protection: { ...protection, clipNorm: 2 },
    });
  });

  test('sets what a path names, makes what is missing, and leads nowhere through values and past lists', () => {
    expect(withValueAt({ a: { b: 1 }, c: 2 }, ['a', 'b'], 3)).toEqual({ a: { b: 3 }, c: 2 });
    expect(withValueAt({}, ['a', 'b'], 3)).toEqual({ a: { b: 3 } });
    expect(withValueAt({ a: { b: 1, d: 2 } }, ['a', 'b'], null)).toEqual({ a: { d: 2 } });
    expect(withValueAt({ a: [{ b: 1 }, { b: 2 }] }, ['a', '1', 'b'], 3)).toEqual({ a: [{ b: 1 }, { b: 3 }] });
    expect(withValueAt({ a: [1] }, ['a', '1'], 3)).toBeUndefined();
    expect(withValueAt({ a: 1 }, ['a', 'b'], 3)).toBeUndefined();
  });
});

describe('the cells of a grid', () => {
  test('are the product of the axes, the first one slowest, each with every seed', () => {
    const { cells, jobs } = sweep(
      `${base}vary:
  defence:
    none: {}
    relaxloss: {federation: {local: {defence: {type: relaxloss, alpha: 1.4}}}}
  federation.local.epochs: [2, 5]
rounds: 3
seeds: [7, 8]
`,
    );
    expect(cells.map(({ name }) => name)).toEqual([
      'leaky, defence none, epochs 2',
      'leaky, defence none, epochs 5',
      'leaky, defence relaxloss, epochs 2',
      'leaky, defence relaxloss, epochs 5',
    ]);
    expect(cells.map(({ scenario }) => scenario.federation.local.epochs)).toEqual([2, 5, 2, 5]);
    expect(cells[2]?.scenario.federation).toMatchObject({
      rounds: 3,
      local: { batchSize: 'all', defence: { type: 'relaxloss', alpha: 1.4, upper: 1 } },
    });
    expect(jobs).toHaveLength(8);
    expect(jobs[1]).toMatchObject({
      id: 'leaky_defence-none_epochs-2_seed-8',
      seed: 8,
      scenario: { seeds: [8], data: { schema: 'schema.yaml' } },
    });
    expect(new Set(jobs.map(({ hash }) => hash)).size).toBe(8);
  });

  test('of a base with changes of its own have these and, over them, what all cells have in common', () => {
    const { cells } = sweep(`
scenarios:
  - {scenario: CATALOG/leaky.yaml, set: {federation: {rounds: 4, description: short}}}
  - CATALOG/heart.yaml
set: {federation: {description: common}}
`);
    const [leaky, heart] = cells.map(({ scenario: { federation } }) => federation);
    expect([leaky!.name, leaky!.rounds, leaky!.description]).toEqual(['leaky', 4, 'common']);
    expect(heart!.rounds).not.toBe(4);
  });

  test('without axes are the base scenarios, with their own seeds', () => {
    const { jobs } = sweep('scenarios: [CATALOG/leaky.yaml, CATALOG/heart.yaml]\n');
    expect(jobs.map(({ id }) => id)).toEqual([
      'leaky_seed-1',
      ...[42, 43, 44, 45, 46].map((n) => `heart_seed-${n}`),
    ]);
  });

  test('keep their hash when another cell is added, and change it with the program, a value and a file', () => {
    const grid = (values: string) => `${base}vary: {federation.local.epochs: [${values}]}\n`;
    const [first] = sweep(grid('2')).jobs;
    expect(sweep(grid('1, 2')).jobs[1]).toEqual(first);
    const file = join(temporaryFolder(), 'grid.yaml');
    writeFileSync(file, grid('2').replace('CATALOG', resolve('scenarios/catalog')));
    expect(sweepOf(loadGrid(file), '0.2.0').jobs[0]?.hash).not.toBe(first?.hash);
    const [other] = sweep(`${grid('2')}set: {data: {schema: schemas/hospital-cohort.yaml}}\n`).jobs;
    expect(other?.scenario).toEqual(first?.scenario);
    expect(other?.hash).not.toBe(first?.hash);
  });

  test('have short names for folders, also where a value is long', () => {
    const { jobs } = sweep(
      `${base}vary: {federation.model.layers: [[{type: dense, units: 64, activation: relu}, {type: dense, units: 32, activation: relu}], []]}\n`,
    );
    for (const { id } of jobs) expect(id).toMatch(/^\w[\w.+-]{0,119}$/);
    expect(new Set(jobs.map(({ id }) => id)).size).toBe(2);
  });

  test.each([
    [
      'an unknown key',
      `${base}vary: {federation.local.defense: [a]}`,
      /"leaky, defense a".*federation\.local\.defense: no key/,
    ],
    [
      'a value out of range',
      `${base}vary: {federation.rounds: [5, 0]}`,
      /"leaky, rounds 0".*federation\.rounds: .*>0/,
    ],
    [
      'a key of another kind',
      `${base}vary: {federation.protection.epsilon: [1]}`,
      /federation\.protection\.epsilon: no key/,
    ],
    ['a path through a value', `${base}vary: {federation.rounds.x: [1]}`, /"x 1" leads through/],
    [
      'an empty list',
      `${base}vary: {federation.rounds: []}`,
      /vary\.federation\.rounds: an axis needs at least one value/,
    ],
    ['an empty mapping', `${base}vary: {defence: {}}`, /vary\.defence: an axis needs at least one value/],
    [
      'two equal values',
      `${base}vary: {federation.rounds: [5, 5]}`,
      /"leaky, rounds 5" and "leaky, rounds 5" are the same/,
    ],
    [
      'values without effect',
      `${base}vary: {a: {one: {}, two: {}}}`,
      /"leaky, a one" and "leaky, a two" are the same/,
    ],
    [
      'one scenario twice',
      'scenarios: [CATALOG/leaky.yaml, CATALOG/leaky.yaml]',
      /"leaky" and "leaky" are the same/,
    ],
    ['no scenario', 'rounds: 3', /give either scenario or scenarios/],
    ['both ways to name it', `${base}scenarios: [CATALOG/leaky.yaml]`, /give either scenario or scenarios/],
    ['a seed twice', `${base}seeds: [1, 1]`, /seeds: a seed is there twice/],
    ['an unknown key of the grid', `${base}varies: {}`, /varies/],
  ])('refuse %s', (_, text, message) => {
    expect(() => sweep(text)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(message) as string }),
    );
  });

  test('refuse a base scenario that is not there', () => {
    expect(() => sweep('scenario: nowhere.yaml')).toThrow(
      expect.objectContaining({ code: 'FILE_NOT_FOUND' }),
    );
  });
});

describe("the catalogue's grids", () => {
  test.each(catalogueFiles().grids)('%s resolves', (file) => {
    const { cells, jobs, grid } = sweepOf(loadGrid(file), '0.1.0');
    expect(jobs).toHaveLength(cells.length * (grid.seeds?.length ?? 0));
  });

  test('defences.yaml has every defence that training offers any model, five seeds and three federations', () => {
    const { cells, jobs } = sweepOf(loadGrid('scenarios/catalog/defences.yaml'), '0.1.0');
    const types = cells.flatMap(({ scenario: { federation } }) => {
      const { defence, l2, silo } = federation.local;
      const parts = defence.type === 'combined' ? defence.defences : [defence];
      return [
        ...parts.map(({ type }): string => type),
        ...(l2 > 0 ? ['l2'] : []),
        ...(silo ? [silo.type] : []),
        ...(federation.earlyStopping ? ['early stopping'] : []),
        ...(federation.averaging ? ['averaging'] : []),
        ...(federation.pruning ? ['pruning'] : []),
        federation.protection.type,
      ];
    });
    // By the lists of the schemas: a defence that is added there is missed here.
    const elsewhere = ['l2', 'early stopping', 'averaging', 'pruning', 'user-dp'];
    const ofAnyModel = siloTypes.filter((type) => type !== 'representation-alignment');
    expect([...new Set(types)].sort()).toEqual([...defenceTypes, ...ofAnyModel, ...elsewhere].sort());
    expect(new Set(cells.map(({ base: name }) => name)).size).toBe(3);
    expect(jobs).toHaveLength(5 * cells.length);
    for (const { scenario } of cells) {
      const { allowedDefences } = scenario.sites.policy;
      const { defence, silo } = scenario.federation.local;
      const parts = defence.type === 'combined' ? defence.defences : [silo ?? defence];
      expect(allowedDefences).toEqual(expect.arrayContaining(parts.map(({ type }) => type)));
    }
  });

  test('public-records.yaml has what takes public records, some of these, and what that is compared with', () => {
    const { cells } = sweepOf(loadGrid('scenarios/catalog/public-records.yaml'), '0.1.0');
    const types = cells.map(({ scenario: { federation, data, sites } }) => {
      const { type } = federation.local.silo ?? { type: 'none' };
      expect(sites.policy.allowedDefences).toContain(type);
      expect(data).toMatchObject({ publicPart: true });
      return federation.distillation ? 'server-distillation' : type;
    });
    const atSites = ['pooled', 'distillation', 'alignment', 'representation-alignment'];
    const wanted = ['none', 'server-distillation', ...atSites];
    expect(types).toEqual([...wanted, ...wanted, ...wanted]);
  });
});
