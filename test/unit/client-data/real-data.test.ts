import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadShard, readDataSchema } from '../../../client/load-shard.ts';
import { readTable } from '../../../client/read-table.ts';
import { purchaseTable, receiptColumns } from '../../../scenarios/data/purchases.ts';
import { encodeTable } from '../../../shared/data/encode.ts';
import { columnsOf, numFeaturesOf } from '../../../shared/data/schema.ts';
import { numUsers, type Shard } from '../../../shared/data/shard.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';

const data = process.env['PARLEY_DATA'] ?? '../shared/data';
const schemaOf = (name: string) => readDataSchema(`scenarios/catalog/schemas/${name}.yaml`);
const positives = ({ labels }: Shard): number => labels.reduce((sum, label) => sum + label, 0);
const group = (shard: Shard, column: string, value: string): number => {
  const found = shard.subpopulations.find((subpopulation) => subpopulation.column === column)!;
  return found.codes.filter((code) => found.vocabulary[code] === value).length;
};

describe.runIf(existsSync(data))('the real data sets', () => {
  // FLamby (Ogier du Terrail et al. 2022), table of Fed-Heart-Disease: 303/261/46/130 rows, 13 features.
  test.each([
    ['cleveland', 303, 139],
    ['hungarian', 261, 98],
    ['switzerland', 46, 45],
    ['va', 130, 101],
  ])("heart %s keeps FLamby's %i rows", async (site, rows, ill) => {
    const shard = await loadShard({
      file: join(data, `heart/heart-${site}.csv`),
      schema: await schemaOf('heart'),
    });
    expect([shard.labels.length, numUsers(shard), shard.numFeatures]).toEqual([rows, rows, 13]);
    expect(positives(shard)).toBe(ill);
  });

  test('diabetes130: 101,766 encounters of 71,518 patients; deaths dropped by rule', async () => {
    const schema = await schemaOf('diabetes130');
    const table = await readTable(join(data, 'diabetes130/diabetes130.csv.gz'), columnsOf(schema));
    const whole = encodeTable({ ...schema, drop: [] }, table).shard;
    expect([whole.labels.length, numUsers(whole), positives(whole)]).toEqual([101_766, 71_518, 11_357]);
    const { shard, siteKeys } = encodeTable(schema, table);
    // Discharge ids that mean death; none of these patients is readmitted.
    const column = table.header.indexOf('discharge_disposition_id');
    const deaths = table.rows.filter((row) => ['11', '19', '20', '21'].includes(row[column]!)).length;
    expect([shard.labels.length, positives(shard)]).toEqual([101_766 - deaths, 11_357]);
    expect(shard.numFeatures).toBe(numFeaturesOf(schema));
    expect(new Set(siteKeys)).toEqual(new Set(['missing', 'other', 'Medicare', 'Medicaid or self']));
    const largest = Math.max(
      ...whole.userIds.map((_, u) => whole.userOffsets[u + 1]! - whole.userOffsets[u]!),
    );
    expect(largest).toBe(40);
  });

  test('eicu-demo: 2,492 stays with a known outcome, of which 212 end in death; four regions', async () => {
    const schema = await schemaOf('eicu-demo');
    const table = await readTable(join(data, 'eicu-demo/eicu-demo-stays.csv.gz'), columnsOf(schema));
    const { shard, siteKeys } = encodeTable(schema, table);
    expect([shard.labels.length, positives(shard)]).toEqual([2492, 212]);
    const patients = new Set(table.rows.map((row) => row[table.header.indexOf('uniquepid')]));
    expect([table.rows.length, patients.size, numUsers(shard)]).toEqual([2520, 1841, 1820]);
    expect(new Set(siteKeys)).toEqual(new Set(['Midwest', 'South', 'West', 'Northeast', 'missing']));
  });

  test('credit-default: 30,000 clients, 6,636 defaults, 18,112 women', async () => {
    const schema = await schemaOf('credit-default');
    const shard = await loadShard({ file: join(data, 'credit-default/credit-default.csv.gz'), schema });
    expect([numUsers(shard), shard.labels.length, positives(shard)]).toEqual([30_000, 30_000, 6636]);
    expect(group(shard, 'sex', 'female')).toBe(18_112);
    expect(group(shard, 'education', 'university')).toBe(14_030);
  });

  // Counts of MNIST's test set and of QMNIST's writers; pixels as numpy reads them.
  test('mnist-writers: 10,000 digits of 297 writers', async () => {
    const shard = await loadShard({
      file: join(data, 'mnist-writers/mnist-test-writers.csv.gz'),
      schema: await schemaOf('mnist-writers'),
    });
    expect([shard.labels.length, numUsers(shard), shard.numFeatures]).toEqual([10_000, 297, 784]);
    const digits = Array.from(
      { length: 10 },
      (_, digit) => shard.labels.filter((label) => label === digit).length,
    );
    expect(digits).toEqual([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]);
    const { mnist } = JSON.parse(readFileSync('test/vectors/inputs.json', 'utf8')) as {
      mnist: { sumOfPixels: number[]; row14OfFirst: number[] };
    };
    const pixels = Array.from(shard.features.subarray(0, 784), (value) => Math.round(value * 255));
    expect(pixels.reduce((sum, value) => sum + value)).toBe(mnist.sumOfPixels[0]);
    expect(pixels.slice(14 * 28, 15 * 28)).toEqual(mnist.row14OfFirst);
  });

  test('shakespeare-roles: 7,097 speeches of 299 roles, every character known', async () => {
    const schema = await schemaOf('shakespeare-roles');
    const table = await readTable(
      join(data, 'shakespeare-roles/shakespeare-roles.csv.gz'),
      columnsOf(schema),
    );
    const texts = table.rows.map((row) => row[table.header.indexOf('text')]!);
    const records = texts.reduce((sum, text) => sum + Math.min(4, Math.ceil(text.length / 31)), 0);
    const { shard } = encodeTable(schema, table);
    expect([table.rows.length, numUsers(shard), shard.labels.length]).toEqual([7097, 299, records]);
    expect([shard.numFeatures, shard.numClasses]).toEqual([8 * 65, 65]);
  });

  test('shakespeare-roles at every position: a million records', async () => {
    const schema = await schemaOf('shakespeare-roles');
    const features = schema.features.map((feature) =>
      feature.type === 'characters' ? { ...feature, window: 20, encoding: 'codes' as const } : feature,
    );
    const label = { type: 'next-character', column: 'text', stride: 1, maxRecordsPerRow: 10_000 } as const;
    const table = await readTable(
      join(data, 'shakespeare-roles/shakespeare-roles.csv.gz'),
      columnsOf(schema),
    );
    const { shard } = encodeTable({ ...schema, label, features }, table);
    // The number of characters of all speeches, counted by Python.
    expect(shard.labels.length).toBe(1_057_671);
  });

  test('purchases: baskets of 2,374 households in a hundred kinds, none of them empty', async () => {
    const table = await readTable(join(data, 'completejourney/transactions.csv.gz'), receiptColumns);
    const baskets = purchaseTable({ table, classes: 100, rng: seededRng(Seed.parse(1)).fork('purchases') });
    const { shard } = encodeTable(await schemaOf('purchases'), { ...baskets, source: 'purchases.csv' });
    expect([shard.labels.length, numUsers(shard), shard.numFeatures]).toEqual([8056, 2374, 290]);
    const sizes = Array.from(
      { length: 100 },
      (_, kind) => shard.labels.filter((label) => label === kind).length,
    );
    expect(Math.min(...sizes)).toBeGreaterThan(0);
    expect(Math.max(...sizes)).toBeLessThan(400);
  });

  test('every input is finite and bounded', async () => {
    const schema = await schemaOf('eicu-demo');
    const shard = await loadShard({ file: join(data, 'eicu-demo/eicu-demo-stays.csv.gz'), schema });
    expect(shard.features.every((value) => Math.abs(value) <= 1)).toBe(true);
  });
});
