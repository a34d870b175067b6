import { describe, expect, test } from 'vitest';
import { assertSameScenario } from '../../../scenarios/same-scenario.ts';
import { loadScenario, type Scenario } from '../../../scenarios/scenario.ts';
import { Seed } from '../../../shared/units.ts';

const scenario = loadScenario('scenarios/catalog/leaky.yaml');
const { federation, data, sites } = scenario;
const seed = Seed.parse(1);

/** Whether a directory that holds the scenario's run goes on with these changes of it. */
function goOn(
  change: Partial<Scenario>,
  begun: { scenario?: undefined; seed?: Seed | null } = {},
): () => void {
  const held = { directory: 'runs/a', scenario, seed, ...begun };
  return () => {
    assertSameScenario(held, { scenario: { ...scenario, ...change }, seed });
  };
}

describe('a directory goes on', () => {
  test.each<[string, Partial<Scenario>]>([
    ['the same scenario', {}],
    ['one of other seeds', { seeds: [seed, Seed.parse(7)] }],
    [
      'one with another trainer',
      { sites: { ...sites, trainer: { provider: 'general', backend: 'cpu', workers: 3 } } },
    ],
    ['one that was moved', { data: { ...data, schema: data.schema.replace(/^.*\//, '/elsewhere/') } }],
    ['one that says nothing in more words', { redTeam: undefined }],
  ])('with %s', (_, change) => {
    expect(goOn(change)).not.toThrow();
  });

  test('where its manifest cannot be read: the coordinator looks at the seed then', () => {
    const held = { directory: 'runs/a', scenario, seed: undefined };
    expect(() => {
      assertSameScenario(held, { scenario, seed: Seed.parse(2) });
    }).not.toThrow();
  });
});

describe('a directory does not go on', () => {
  test.each<[string, Partial<Scenario>, RegExp]>([
    [
      'other noise',
      { sites: { ...sites, noise: { sampler: 'discrete-gaussian' } } },
      /in sites\.noise\.sampler: /,
    ],
    [
      'other audits',
      { sites: { ...sites, audit: { ...sites.audit, places: true } } },
      /in sites\.audit\.places: /,
    ],
    ['another schema', { data: { ...data, schema: 'other.yaml' } }, /in data\.schema: /],
    [
      'a layer more',
      { federation: { ...federation, model: { ...federation.model, layers: [] } } },
      /model\.layers\.0/,
    ],
    [
      'a red team',
      { redTeam: { brokenProtection: { noise: 'off', clipping: 'on' } } },
      /in redTeam: .*another --out.*--overwrite/,
    ],
  ])('with %s', (_, change, place) => {
    expect(goOn(change)).toThrow(
      expect.objectContaining({ code: 'RUN_MISMATCH', message: expect.stringMatching(place) as unknown }),
    );
  });

  test('with the run of real sites, or one without its scenario', () => {
    expect(goOn({}, { seed: null })).toThrow(/differs in seed: /);
    expect(goOn({}, { scenario: undefined })).toThrow(/differs in scenario\.json \(missing/);
  });

  test('and names the first places of many', () => {
    const other = loadScenario('scenarios/catalog/heart.yaml');
    expect(goOn(other)).toThrow(/differs in federation\.name(, [\w.]+){4}, and \d+ more: /);
  });
});
