import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readDataSchema } from '../../client/load-shard.ts';
import { loadScenario } from '../../scenarios/scenario.ts';
import { numClassesOf, numFeaturesOf } from '../../shared/data/schema.ts';
import { numClasses } from '../../shared/model/spec.ts';
import { dataDirectory, simulated } from '../support/simulated.ts';

const catalogue = readdirSync('scenarios/catalog').filter((file) => file.endsWith('.yaml'));

test.each(catalogue)('%s fits its data schema', async (file) => {
  const { federation, data } = loadScenario(join('scenarios/catalog', file));
  const schema = await readDataSchema(data.schema);
  expect(federation.model.inputShape.reduce((product, size) => product * size)).toBe(numFeaturesOf(schema));
  expect(numClasses(federation.model)).toBe(numClassesOf(schema));
  expect(`${federation.name}.yaml`).toBe(file);
});

describe.runIf(existsSync(join(dataDirectory, 'heart')))('heart: FLamby with four real sites', () => {
  test('federated averaging reaches the published pooled accuracy of 0.748, mean over five seeds', async () => {
    const { seeds, federation } = loadScenario('scenarios/catalog/heart.yaml');
    expect(federation.published.map(({ value }) => value)).toContain(0.748);
    expect(seeds).toHaveLength(5);
    const accuracies: number[] = [];
    for (const seed of seeds)
      accuracies.push((await simulated('heart', seed)).reports.at(-1)?.utility.accuracy ?? 0);
    expect(accuracies.reduce((sum, accuracy) => sum + accuracy) / seeds.length).toBeGreaterThanOrEqual(0.748);
  });
});

describe.runIf(existsSync(join(dataDirectory, 'eicu-demo')))('eicu: four regions', () => {
  test('runs to the end within its promise and tells better than chance', async () => {
    const last = (await simulated('eicu', 1)).reports.at(-1);
    expect(last?.sites.answered).toEqual(['midwest', 'northeast', 'south', 'west']);
    expect(last?.epsilon.coordinator).toBeLessThanOrEqual(8);
    expect(last?.utility.value).toBeGreaterThan(0.65);
  });
});
