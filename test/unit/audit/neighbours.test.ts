import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { clusterCentres, withNeighbourhoods } from '../../../coordinator/audit/neighbourhoods.ts';
import {
  nearest,
  neighbourDifference,
  neighbourPool,
  numNeighbours,
} from '../../../coordinator/audit/neighbours.ts';
import type { AuditPopulation, Role } from '../../../coordinator/audit/population.ts';
import { standardNormals } from '../../../shared/random/gaussian.ts';
import { type Rng, seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';
import { plainPopulation } from '../../support/audit-evidence.ts';

const seeds = fc.integer({ min: 1, max: 2 ** 31 }).map((seed) => seededRng(Seed.parse(seed)));
const dims = 3;

function placed(rng: Rng, roles: readonly Role[]): AuditPopulation {
  const coordinates = Float32Array.from(standardNormals(rng, roles.length * dims));
  return { ...plainPopulation(roles), places: { dims, coordinates } };
}

function rolesOf(counts: Partial<Record<Role, number>>): Role[] {
  return Object.entries(counts).flatMap(([role, count]) => new Array<Role>(count).fill(role as Role));
}

describe('nearest', () => {
  test('are the users that sorting by distance puts first, without herself', () => {
    fc.assert(
      fc.property(seeds, fc.integer({ min: 2, max: 80 }), (rng, users) => {
        const { places } = placed(rng, rolesOf({ 'held-out': users }));
        const pool = Int32Array.from({ length: users }, (_, user) => user);
        const distance = (a: number, b: number): number =>
          [0, 1, 2].reduce(
            (sum, axis) =>
              sum + (places!.coordinates[a * dims + axis]! - places!.coordinates[b * dims + axis]!) ** 2,
            0,
          );
        for (const user of [0, users - 1]) {
          const sorted = [...pool].filter((other) => other !== user);
          sorted.sort((a, b) => distance(user, a) - distance(user, b));
          expect([...nearest(places!, user, pool)]).toEqual(sorted.slice(0, numNeighbours));
        }
      }),
    );
  });
});

describe('neighbourPool', () => {
  const rng = seededRng(Seed.parse(2));

  test('is the reference users alone, whoever else never trained', () => {
    const population = placed(rng, rolesOf({ member: 50, 'held-out': 90, reference: 31 }));
    expect(neighbourPool(population)).toEqual(Int32Array.from({ length: 31 }, (_, index) => 140 + index));
  });

  test('is cut to 200, each once, from all over the roster', () => {
    const pool = neighbourPool(placed(rng, rolesOf({ reference: 2500 })))!;
    expect(new Set(pool).size).toBe(200);
    expect([pool[0], pool.at(-1)]).toEqual([0, 2487]);
  });

  test('is missing without places or without neighbours', () => {
    expect(neighbourPool(plainPopulation(rolesOf({ reference: 100 })))).toBeUndefined();
    expect(neighbourPool(placed(rng, rolesOf({ 'held-out': 100, reference: 30 })))).toBeUndefined();
  });
});

describe('neighbourDifference', () => {
  test('takes away whatever varies slowly over the space, and leaves what is a user’s own', () => {
    const rng = seededRng(Seed.parse(9));
    const population = placed(rng, rolesOf({ member: 300, reference: 300 }));
    const scores = Float64Array.from(
      { length: 600 },
      (_, user) => 10 * population.places!.coordinates[dims * user]!,
    );
    scores[7]! += 50;
    const spread = (values: Float64Array): number => Math.hypot(...values) / Math.sqrt(values.length);
    const difference = neighbourDifference(population, scores);
    expect(spread(difference.filter((_, user) => user !== 7))).toBeLessThan(0.5 * spread(scores));
    expect(difference.indexOf(Math.max(...difference))).toBe(7);
  });

  test('is blind to what everybody shares', () => {
    fc.assert(
      fc.property(seeds, fc.double({ min: -100, max: 100, noNaN: true }), (rng, shift) => {
        const population = placed(rng, rolesOf({ member: 20, reference: 40 }));
        const scores = standardNormals(rng, 60);
        const moved = neighbourDifference(
          population,
          scores.map((score) => score + shift),
        );
        neighbourDifference(population, scores).forEach((value, user) => {
          expect(moved[user]).toBeCloseTo(value, 9);
        });
      }),
      { numRuns: 20 },
    );
  });
});

describe('neighbourhoods', () => {
  test('find clusters that lie apart', () => {
    const rng = seededRng(Seed.parse(4));
    const points = Array.from({ length: 800 }, (_, index) =>
      standardNormals(rng, 2).map(
        (value, axis) => 0.1 * value + 5 * (axis === 0 ? index % 8 : (index % 8) % 2),
      ),
    );
    const centres = clusterCentres(points, rng.fork('k-means'));
    expect(centres).toHaveLength(8);
    const found = centres.map(([x = 0, y = 0]) => `${Math.round(x / 5)} ${Math.round(y / 5)}`);
    expect(new Set(found)).toEqual(new Set(Array.from({ length: 8 }, (_, index) => `${index} ${index % 2}`)));
  });

  test('look at nobody’s role, and repeat', () => {
    const rng = seededRng(Seed.parse(6));
    const roles = rolesOf({ member: 60, 'held-out': 60, reference: 20 });
    const population = placed(rng, roles);
    const columns = (given: AuditPopulation): unknown =>
      withNeighbourhoods(new Map([['a', given]]), seededRng(Seed.parse(1))).get('a')?.subpopulations;
    expect(columns({ ...population, roles: roles.toReversed() })).toEqual(columns(population));
    expect(columns(population)).toMatchObject([
      { column: 'neighbourhood', vocabulary: ['1', '2', '3', '4', '5', '6', '7', '8'] },
    ]);
  });

  test('are made of people alone, and canaries join the nearest', () => {
    const rng = seededRng(Seed.parse(6));
    const population = placed(rng, rolesOf({ member: 60, 'held-out': 60 }));
    const coordinates = Float32Array.from([...population.places!.coordinates, 1e6, 1e6, 1e6]);
    const withCanary = {
      ...plainPopulation([...population.roles, 'member']),
      places: { dims, coordinates },
      mislabelled: Uint8Array.from({ length: 121 }, (_, user) => (user === 120 ? 1 : 0)),
    };
    const codes = (given: AuditPopulation): Int32Array =>
      withNeighbourhoods(new Map([['a', given]]), seededRng(Seed.parse(1))).get('a')!.subpopulations[0]!
        .codes;
    expect(codes(withCanary).subarray(0, 120)).toEqual(codes(population));
  });

  test('leave populations without places as they are', () => {
    const population = plainPopulation(rolesOf({ member: 3 }));
    expect(withNeighbourhoods(new Map([['a', population]]), seededRng(Seed.parse(1))).get('a')).toBe(
      population,
    );
  });
});
