import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadShard, readDataSchema } from '../../../client/index.ts';
import { readRun } from '../../../scenarios/run-directory.ts';
import { Scenario } from '../../../scenarios/scenario.ts';
import { type ScenarioTables, scenarioData } from '../../../scenarios/scenario-data.ts';
import { simulate } from '../../../scenarios/simulate.ts';
import type { Shard } from '../../../shared/data/shard.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed, SiteId } from '../../../shared/units.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const folder = mkdtempSync(join(tmpdir(), 'parley-scenario-'));
afterAll(() => {
  rmSync(folder, { recursive: true });
});
const schema = join(folder, 'schema.yaml');
writeFileSync(
  schema,
  JSON.stringify({
    user: { column: 'person' },
    label: { type: 'binary', column: 'ill', positive: ['yes'], negative: ['no'] },
    features: [{ type: 'numeric', column: 'a', min: -1, max: 1 }],
    site: { column: 'ward' },
  }),
);
const people = Array.from({ length: 90 }, (_, person) => `person-${person}`);
const rng = seededRng(Seed.parse(3));
const table = ['person,a,ill,ward'];
for (const [at, person] of people.entries()) {
  const a = 2 * rng.uniform() - 1;
  table.push(`${person},${a},${a > 0 ? 'yes' : 'no'},${['N', 'S', 'P'][at % 3]!}`);
}
writeFileSync(join(folder, 'people.csv'), table.join('\n'));

const sites = ['north', 'south'];

function tablesOf(data: Record<string, unknown>): Promise<ScenarioTables> {
  return scenarioData({
    scenario: { data: Scenario.shape.data.parse({ schema, ...data }) },
    ...{ seed: Seed.parse(1), directory: folder, dataDirectories: [folder] },
  });
}

async function usersOf({ file, schema: of, site }: NonNullable<ScenarioTables['publicTable']>) {
  const shard: Shard = await loadShard({ file, schema: await readDataSchema(of), ...(site && { site }) });
  return shard.userIds;
}

test.each([
  ['hashed-table', { sites, file: 'people.csv', publicPart: true }],
  ['column-table', { sites: { north: 'N', south: 'S' }, file: 'people.csv', publicPart: 'P' }],
])('%s: sites and the public part share nobody, and leave nobody out', async (type, data) => {
  const { data: own, publicTable } = await tablesOf({ type, ...data });
  const parts = await Promise.all([...own.values(), publicTable!].map(usersOf));
  expect(parts.map((part) => part.length > 15)).toEqual([true, true, true]);
  expect(parts.flat().sort()).toEqual([...people].sort());
});

test('tables: the public one is a table of its own', async () => {
  const tables = { north: 'people.csv', south: 'people.csv' };
  const { publicTable } = await tablesOf({ type: 'tables', sites: tables, publicPart: 'people.csv' });
  expect(publicTable).toEqual({ file: join(folder, 'people.csv'), schema });
});

test.each([
  ['hashed-table', { sites, file: 'people.csv' }],
  ['spread-table', { sites, file: 'people.csv' }],
])('%s without a public part: everybody is at a site', async (type, data) => {
  const { data: own, publicTable } = await tablesOf({ type, ...data });
  expect(publicTable).toBeUndefined();
  const parts = await Promise.all([...own.values()].map(usersOf));
  expect(parts.flat().sort()).toEqual([...people].sort());
});

test('coordinator and sites learn from the public part of a simulation, and nobody else does', async () => {
  const directory = join(temporaryFolder(), 'run');
  const scenario = Scenario.parse({
    federation: {
      ...{ name: 'with-public-part', rounds: 2, protection: { type: 'none' }, server: { type: 'fedavg' } },
      model: { inputShape: [1], output: { type: 'sigmoid' } },
      local: { epochs: 1, batchSize: 8, learningRate: 0.5, silo: { type: 'distillation' } },
      distillation: { learningRate: 0.5 },
      audit: { attacks: [], pairs: false },
    },
    data: { type: 'hashed-table', schema, sites, file: 'people.csv', publicPart: true },
    sites: {
      policy: {
        ...{ maxEpsilon: 1, delta: 1e-5, minNoiseMultiplier: 1, allowUnprotected: true },
        allowedDefences: ['distillation'],
      },
      // Without reference users nothing else could stand for public records.
      audit: { fraction: 0.5, referenceFraction: 0 },
    },
  });
  const observer = { stage: () => undefined, report: () => undefined, note: () => undefined };
  const means = { dataDirectories: [folder], inProcess: true, observer, signal: AbortSignal.timeout(60_000) };
  await simulate({ scenario, seed: Seed.parse(2), directory, ...means });
  const { manifest, reports } = readRun(directory);
  const { publicTable } = await tablesOf(scenario.data);
  expect(manifest.publicRecords?.numRecords).toBe((await usersOf(publicTable!)).length);
  expect(reports.map((report) => report.sites.answered)).toEqual([
    sites.map((site) => SiteId.parse(site)),
    sites.map((site) => SiteId.parse(site)),
  ]);
  expect(reports[1]?.defences).toEqual([
    { type: 'distillation', class: 'silo-level' },
    { type: 'server-distillation', class: 'server-side' },
  ]);
});
