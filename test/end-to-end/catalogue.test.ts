import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readDataSchema } from '../../client/load-shard.ts';
import { loadScenario } from '../../scenarios/scenario.ts';
import { numClassesOf, numFeaturesOf } from '../../shared/data/schema.ts';
import { numClasses } from '../../shared/model/spec.ts';
import { catalogueFiles } from '../support/catalogue.ts';
import { dataDirectory, simulated } from '../support/simulated.ts';

test.each(catalogueFiles().scenarios)('%s fits its data schema', async (file) => {
  const { federation, data } = loadScenario(file);
  const schema = await readDataSchema(data.schema);
  expect(federation.model.inputShape.reduce((product, size) => product * size)).toBe(numFeaturesOf(schema));
  expect(numClasses(federation.model)).toBe(numClassesOf(schema));
  expect(`${federation.name}.yaml`).toBe(basename(file));
});

// What they reach stands in the files' first lines; here that they run, as declared, on the real data.
describe.runIf(existsSync(join(dataDirectory, 'completejourney')))('images, text, baskets, banks', () => {
  test.each([
    ...['credit-default', 'mnist-writers', 'purchases', 'shakespeare-roles'].flatMap((name) => [
      name,
      `${name}-unprotected`,
    ]),
    'mnist-writers-convolution',
    'shakespeare-roles-recurrent',
  ])('%s: two rounds', async (name) => {
    const { federation, data } = loadScenario(`scenarios/catalog/${name}.yaml`);
    const { reports } = await simulated(name, 1, (scenario) => ({
      ...scenario,
      federation: { ...scenario.federation, rounds: 2 },
    }));
    expect(reports.map(({ round }) => round)).toEqual([0, 1]);
    const last = reports.at(-1);
    expect(last?.sites.answered).toHaveLength(Object.keys(data.sites).length);
    expect(last?.utility.heldOutRecords).toBeGreaterThan(200);
    const { coordinator } = last?.epsilon ?? {};
    if (federation.protection.type === 'none') expect(coordinator).toBe('infinite');
    else expect(coordinator).toBeLessThanOrEqual(federation.epsilonLimit ?? 0);
  });
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
