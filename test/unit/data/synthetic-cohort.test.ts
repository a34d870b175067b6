import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { hospitals } from '../../../scenarios/data/hospitals.ts';
import { cohortColumns, cohortCsv, syntheticCohort } from '../../../scenarios/data/synthetic-cohort.ts';
import { parseCsv } from '../../../shared/data/csv.ts';
import { encodeTable } from '../../../shared/data/encode.ts';
import { featureNames, parseDataSchema } from '../../../shared/data/schema.ts';
import { numUsers, type Shard } from '../../../shared/data/shard.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';

const file = new URL('../../../scenarios/catalog/schemas/hospital-cohort.yaml', import.meta.url);
const schema = parseDataSchema(parse(readFileSync(file, 'utf8')), 'hospital-cohort.yaml');
const cohort = (seed: number, usersPerSite: number, sites = hospitals(4)) =>
  syntheticCohort({ rng: seededRng(Seed.parse(seed)), sites, usersPerSite });
const shards = cohort(1, 1500).map(({ table }) => encodeTable(schema, table).shard);

const share = (shard: Shard, column: string, value: string): number => {
  const found = shard.subpopulations.find((subpopulation) => subpopulation.column === column)!;
  const code = found.vocabulary.indexOf(value);
  return found.codes.filter((other) => other === code).length / numUsers(shard);
};
const prevalence = ({ labels }: Shard): number =>
  labels.reduce((sum, label) => sum + label, 0) / labels.length;
const feature = (shard: Shard, name: string): number[] => {
  const index = featureNames(schema).indexOf(name);
  return Array.from(shard.labels, (_, record) => shard.features[record * shard.numFeatures + index]!);
};

describe('the synthetic cohort', () => {
  test('repeats from its seed and differs under another', () => {
    expect(cohort(7, 20)).toEqual(cohort(7, 20));
    expect(cohort(7, 20)).not.toEqual(cohort(8, 20));
  });

  test('a larger cohort begins with the same patients', () => {
    const rowsOf = (usersPerSite: number): string[] =>
      cohort(3, usersPerSite)[0]!
        .table.rows.filter(([id]) => id! <= 'university-000010')
        .map(String);
    expect(rowsOf(40).sort()).toEqual(rowsOf(10).sort());
  });

  test('fits its schema at every site, with the users asked for and one to six visits each', () => {
    for (const shard of shards) {
      expect(numUsers(shard)).toBe(1500);
      const visits = Array.from(shard.userIds, (_, u) => shard.userOffsets[u + 1]! - shard.userOffsets[u]!);
      expect([Math.min(...visits), Math.max(...visits)]).toEqual([1, 6]);
    }
  });

  test("a user's visits are not neighbours in the file", () => {
    const ids = cohort(1, 50)[0]!.table.rows.map(([id]) => id);
    expect(ids.some((id, index) => id === ids[index + 1])).toBe(false);
    expect(new Set(ids).size).toBeLessThan(ids.length);
  });

  test('reads back from its CSV text', () => {
    const [site] = cohort(2, 30);
    const read = parseCsv(cohortCsv(site!), { source: 'cohort.csv' });
    expect(read.rows).toEqual(site!.table.rows);
    expect(read.header).toEqual(cohortColumns);
  });

  // The four profiles are 0.1 or more apart in these; 1500 users give standard errors of at most 0.013, so a false alarm
  // of the margins below has probability under 1e-4. The seed is fixed besides.
  test('its hospitals differ in outcome, case mix and age', () => {
    const [university, community, rural, heartCentre] = shards as [Shard, Shard, Shard, Shard];
    expect(prevalence(heartCentre) - prevalence(rural)).toBeGreaterThan(0.1);
    expect(share(heartCentre, 'ward', 'cardiac') - share(community, 'ward', 'cardiac')).toBeGreaterThan(0.3);
    expect(
      share(rural, 'age band', '80 and over') - share(university, 'age band', '80 and over'),
    ).toBeGreaterThan(0.03);
    expect(Math.max(...feature(rural, 'lactate missing'))).toBe(1);
  });

  test('has one rare ethnicity, about 2 to 3 % of the users', () => {
    const rare =
      shards.reduce((sum, shard) => sum + share(shard, 'ethnicity', 'indigenous'), 0) / shards.length;
    expect(rare).toBeGreaterThan(0.018);
    expect(rare).toBeLessThan(0.034);
  });

  test("a user's visits resemble one another more than other users' do", () => {
    const shard = shards[0]!;
    const sodium = feature(shard, 'sodium');
    const pairs = Array.from(
      shard.userIds,
      (_, u) => [shard.userOffsets[u]!, shard.userOffsets[u + 1]!] as const,
    )
      .filter(([start, end]) => end - start >= 2)
      .map(([start]) => [sodium[start]!, sodium[start + 1]!] as const);
    const own = pairs.reduce((sum, [a, b]) => sum + (a - b) ** 2, 0) / pairs.length;
    const others =
      pairs.reduce((sum, [a], i) => sum + (a - pairs[(i + 1) % pairs.length]![1]) ** 2, 0) / pairs.length;
    expect(own).toBeLessThan(0.6 * others);
  });

  test('as many hospitals as asked for, each with a name of its own', () => {
    const names = hospitals(9).map(({ name }) => name);
    expect(new Set(names).size).toBe(9);
    expect(names.slice(0, 5)).toEqual(['university', 'community', 'rural', 'heart-centre', 'university-2']);
  });
});
