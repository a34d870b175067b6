import { describe, expect, test } from 'vitest';
import { maxPlaceDims, placesOf } from '../../../shared/data/places.ts';
import type { Shard } from '../../../shared/data/shard.ts';
import { standardNormals } from '../../../shared/random/gaussian.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { RunId, Seed } from '../../../shared/units.ts';
import { aShard } from '../../support/a-site.ts';

const run = RunId.parse('run-1');

/** Forty users with one record each. */
function wide(numFeatures: number): Shard {
  const features = Float32Array.from(standardNormals(seededRng(Seed.parse(3)), 40 * numFeatures));
  const userOffsets = Int32Array.from({ length: 41 }, (_, user) => user);
  return { ...aShard(40), numFeatures, features, userOffsets, labels: new Int32Array(40) };
}

function distance(values: Float32Array, dims: number, [a, b]: readonly [number, number]): number {
  const row = (user: number): Float32Array => values.subarray(user * dims, (user + 1) * dims);
  return Math.hypot(...row(a).map((value, axis) => value - row(b)[axis]!));
}

describe('places', () => {
  test('are the means of a user’s records where there are few features', () => {
    const shard = aShard(3);
    const { dims, coordinates } = placesOf(shard, Int32Array.of(1), run);
    const { features } = shard;
    expect(dims).toBe(2);
    expect(coordinates[0]).toBeCloseTo((features[2]! + features[4]!) / 2, 6);
    expect(coordinates[1]).toBeCloseTo((features[3]! + features[5]!) / 2, 6);
  });

  test('are sixteen coordinates of many features, and keep distances about', () => {
    const shard = wide(200);
    const users = Int32Array.from({ length: 40 }, (_, user) => user);
    const { dims, coordinates } = placesOf(shard, users, run);
    expect(dims).toBe(maxPlaceDims);
    const ratios = [...users.subarray(1)].map((user) => {
      return distance(coordinates, dims, [0, user]) / distance(shard.features, 200, [0, user]);
    });
    // Mean ratio of 39 distances; each has a standard deviation of about 1 / sqrt(32), and all share user 0.
    expect(ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length).toBeGreaterThan(0.7);
    expect(ratios.reduce((sum, ratio) => sum + ratio, 0) / ratios.length).toBeLessThan(1.3);
    expect(Math.max(...ratios)).toBeLessThan(2);
  });

  test('are the same at every site of a run, and others in another run', () => {
    const shard = wide(17);
    const users = Int32Array.of(5, 9);
    expect(placesOf(shard, users, run)).toEqual(placesOf({ ...shard, userIds: [] }, users, run));
    expect(placesOf(shard, users, RunId.parse('run-2'))).not.toEqual(placesOf(shard, users, run));
  });
});
