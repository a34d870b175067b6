import { mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { type ClientConfig, readTable } from '../client/index.ts';
import { formatCsv } from '../shared/data/csv.ts';
import { assertNever } from '../shared/errors.ts';
import { seededRng } from '../shared/random/rng.ts';
import { Seed, SiteId } from '../shared/units.ts';
import { resolveDataFile } from './data/data-directory.ts';
import { hospitals } from './data/hospitals.ts';
import { purchaseTable, receiptColumns } from './data/purchases.ts';
import { cohortCsv, syntheticCohort } from './data/synthetic-cohort.ts';
import type { Scenario } from './scenario.ts';

type TableSource = ClientConfig['data'];

/** What a scenario's data are found or made from. */
export interface DataSource {
  readonly scenario: Pick<Scenario, 'data'>;
  readonly seed: Seed;
  /** The run directory, for data that are made up. */
  readonly directory: string;
  readonly dataDirectories: readonly string[];
}

/** Who has which records. */
export interface ScenarioTables {
  readonly data: ReadonlyMap<SiteId, TableSource>;
  /** Where the scenario has a public part. */
  readonly publicTable?: TableSource | undefined;
}

/**
 * The tables of a scenario's sites; those that are made up are written into the run directory.
 *
 * @throws FILE_NOT_FOUND when a table is in none of the data directories.
 */
export async function scenarioData(source: DataSource): Promise<ScenarioTables> {
  const { data } = source.scenario;
  const { schema } = data;
  const find = async (file: string): Promise<string> =>
    resolve(await resolveDataFile(file, source.dataDirectories));
  switch (data.type) {
    case 'synthetic-hospitals':
      return { data: madeUp(data, source) };
    case 'hashed-table':
      return hashed(data, await find(data.file));
    case 'purchases':
      return hashed(data, await writePurchases(await find(data.file), source.directory));
    case 'spread-table': {
      const file = await find(data.file);
      const sites = data.sites.length;
      return {
        data: new Map(
          data.sites.map((id, index) => [id, { file, schema, site: { type: 'spread', sites, index } }]),
        ),
      };
    }
    case 'column-table': {
      const file = await find(data.file);
      return mapped(data, (value) => ({ file, schema, site: { type: 'column', value } }));
    }
    case 'tables': {
      const names = [
        ...Object.values(data.sites),
        ...(data.publicPart === undefined ? [] : [data.publicPart]),
      ];
      const found = new Map(await Promise.all(names.map(async (name) => [name, await find(name)] as const)));
      return mapped(data, (name) => ({ file: found.get(name) ?? name, schema }));
    }
    default:
      return assertNever(data);
  }
}

type DataOf<T extends Scenario['data']['type']> = Extract<Scenario['data'], { type: T }>;

function madeUp(
  { sites, usersPerSite, schema }: DataOf<'synthetic-hospitals'>,
  { seed, directory }: DataSource,
): Map<SiteId, TableSource> {
  const rng = seededRng(seed).fork('cohort');
  const cohort = syntheticCohort({ rng, sites: hospitals(sites), usersPerSite });
  return new Map(
    cohort.map((site) => {
      const folder = join(directory, 'sites', site.site);
      mkdirSync(folder, { recursive: true });
      const file = join(folder, 'data.csv');
      writeFileSync(file, cohortCsv(site));
      return [SiteId.parse(site.site), { file: resolve(file), schema }];
    }),
  );
}

/** Users divided by a hash of their ids: a part for each site, and one more where there is a public one. */
function hashed(
  { sites, schema, publicPart }: DataOf<'hashed-table' | 'purchases'>,
  file: string,
): ScenarioTables {
  const parts = sites.length + (publicPart ? 1 : 0);
  const part = (index: number): TableSource => ({
    ...{ file, schema },
    site: { type: 'hash', sites: parts, index },
  });
  return {
    data: new Map(sites.map((id, index) => [id, part(index)])),
    publicTable: publicPart && part(sites.length),
  };
}

/** What each site, and the public part, goes by: a column's value or a table's name. */
function mapped(
  { sites, publicPart }: DataOf<'column-table' | 'tables'>,
  tableOf: (what: string) => TableSource,
): ScenarioTables {
  return {
    data: new Map(Object.entries(sites).map(([id, what]) => [SiteId.parse(id), tableOf(what)])),
    publicTable: publicPart === undefined ? undefined : tableOf(publicPart),
  };
}

/** The task is one and the same in every run: only who trains depends on the run's seed. */
const purchaseSeed = Seed.parse(1);
const purchaseClasses = 100;

/** Make the table of baskets in the run directory; returns its path. */
async function writePurchases(receipts: string, directory: string): Promise<string> {
  const table = await readTable(receipts, receiptColumns);
  const rng = seededRng(purchaseSeed).fork('purchases');
  const file = resolve(directory, 'purchases.csv');
  writeFileSync(file, formatCsv(purchaseTable({ table, classes: purchaseClasses, rng })));
  return file;
}
