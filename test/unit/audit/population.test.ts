import { describe, expect, test } from 'vitest';
import { meanByUser, userMeans } from '../../../coordinator/audit/evidence.ts';
import {
  type AuditPopulation,
  mergePopulations,
  numRecords,
  populationOf,
  recordsOf,
  roleCounts,
  scoresByRole,
  usersWithRole,
} from '../../../coordinator/audit/population.ts';

const north: AuditPopulation = {
  roles: ['member', 'held-out'],
  recordOffsets: Int32Array.of(0, 2, 3),
  labels: Int32Array.of(1, 0, 1),
  numClasses: 2,
  subpopulations: [{ column: 'race', vocabulary: ['Asian', 'Other'], codes: Int32Array.of(1, 0) }],
};
const south: AuditPopulation = {
  roles: ['reference', 'member', 'held-out'],
  recordOffsets: Int32Array.of(0, 1, 2, 4),
  labels: Int32Array.of(0, 0, 1, 1),
  numClasses: 2,
  subpopulations: [
    { column: 'race', vocabulary: ['Other', 'Hispanic', 'unused'], codes: Int32Array.of(0, 1, 1) },
    { column: 'site', vocabulary: ['ward 3'], codes: Int32Array.of(0, 0, 0) },
  ],
};

test('populationOf reads a roster', () => {
  const population = populationOf(
    {
      declaredUsers: 10,
      users: { roles: Int32Array.of(0, 2, 1) },
      recordCounts: Int32Array.of(2, 1, 3),
      freshCounts: Int32Array.of(1, 0, 2),
      labels: Int32Array.of(0, 1, 0, 1, 1, 0),
      subpopulations: north.subpopulations,
      canaries: Int32Array.of(0, 1),
      privacy: 'private',
    },
    2,
  );
  expect(population.roles).toEqual(['member', 'reference', 'held-out']);
  expect([...population.recordOffsets]).toEqual([0, 2, 3, 6]);
  expect(numRecords(population)).toBe(6);
  expect(population.subpopulations).toBe(north.subpopulations);
  expect(population.freshCounts).toEqual(Int32Array.of(1, 0, 2));
});

describe('mergePopulations', () => {
  const merged = mergePopulations([
    { name: 'north', population: north },
    { name: 'south', population: south },
  ]);

  test('keeps users and records in the given order', () => {
    expect(merged.roles).toEqual(['member', 'held-out', 'reference', 'member', 'held-out']);
    expect([...merged.recordOffsets]).toEqual([0, 2, 3, 4, 5, 7]);
    expect([...merged.labels]).toEqual([1, 0, 1, 0, 0, 1, 1]);
  });

  test('merges columns by value and adds the site', () => {
    const values = merged.subpopulations.map(({ column, vocabulary, codes }) => [
      column,
      [...codes].map((code) => vocabulary[code]),
    ]);
    expect(values).toEqual([
      ['site', ['north', 'north', 'south', 'south', 'south']],
      ['race', ['Other', 'Asian', 'Other', 'Hispanic', 'Hispanic']],
      ['site (declared)', ['(not recorded)', '(not recorded)', 'ward 3', 'ward 3', 'ward 3']],
    ]);
  });

  test('keeps values that no user has: they come back as not testable', () => {
    expect(merged.subpopulations[1]?.vocabulary).toEqual(['Asian', 'Other', 'Hispanic', 'unused']);
  });

  test('a site may declare the very value that stands for a missing one: it is one value', () => {
    const ward = { column: 'ward', vocabulary: ['(not recorded)', 'a'], codes: Int32Array.of(1, 0) };
    const [, , column] = mergePopulations([
      { name: 'north', population: { ...north, subpopulations: [...north.subpopulations, ward] } },
      { name: 'south', population: { ...south, subpopulations: south.subpopulations.slice(0, 1) } },
    ]).subpopulations;
    expect(column).toEqual({
      column: 'ward',
      vocabulary: ['(not recorded)', 'a'],
      codes: Int32Array.of(1, 0, 0, 0, 0),
    });
  });

  test('refuses no parts, and parts with different classes', () => {
    expect(() => mergePopulations([])).toThrow(expect.objectContaining({ code: 'DATA_EMPTY' }));
    const other = { name: 'east', population: { ...south, numClasses: 3 } };
    expect(() => mergePopulations([{ name: 'north', population: north }, other])).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringContaining('east') as string }),
    );
  });
});

test('index helpers', () => {
  expect([...usersWithRole(south, 'reference')]).toEqual([0]);
  expect([...usersWithRole(north, 'reference')]).toEqual([]);
  expect(recordsOf(south, Int32Array.of(2, 0))).toEqual([2, 3, 0]);
  expect(roleCounts(south)).toEqual({ members: 1, heldOut: 1, reference: 1 });
  expect(scoresByRole(south, Float64Array.of(7, 8, 9))).toEqual({
    members: Float64Array.of(8),
    heldOut: Float64Array.of(9),
  });
});

test('means over the records of each user', () => {
  expect([...userMeans(south, Float32Array.of(1, 2, 3, 5))]).toEqual([1, 2, 4]);
  expect([...meanByUser(south, (record) => record * 1e-9)]).toEqual([0, 1e-9, 2.5e-9]);
  const empty = { ...south, recordOffsets: Int32Array.of(0, 1, 1, 4) };
  expect(() => userMeans(empty, new Float32Array(4))).toThrow(
    expect.objectContaining({ code: 'DATA_EMPTY' }),
  );
});
