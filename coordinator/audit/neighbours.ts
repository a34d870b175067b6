import type { Places } from '../../shared/data/places.ts';
import { type AuditPopulation, usersWithRole } from './population.ts';

/** Non-members that a user is compared with. */
export const numNeighbours = 30;
/** At most so many reference users are searched, evenly spread over the roster: the time is users times this. */
const largestPool = 200;

/**
 * The users among whom neighbours are looked for: reference users only, since an attack must not ask who is held out.
 * Undefined without places, or with no more reference users than one neighbourhood takes.
 */
export function neighbourPool(population: AuditPopulation): Int32Array | undefined {
  const pool = usersWithRole(population, 'reference');
  if (population.places === undefined || pool.length <= numNeighbours) return undefined;
  const step = Math.max(1, pool.length / largestPool);
  return Int32Array.from(
    { length: Math.min(pool.length, largestPool) },
    (_, index) => pool[Math.floor(index * step)] ?? 0,
  );
}

/**
 * The 30 users of a pool nearest to a user by Euclidean distance, herself left out, nearest first; all of them when the pool is
 * smaller. Among equal distances the earlier in the pool. Never a model's own embedding: that would leak into the null.
 */
export function nearest(places: Places, user: number, pool: Int32Array): Int32Array {
  const found = new Int32Array(numNeighbours);
  const distances = new Float64Array(numNeighbours).fill(Infinity);
  let count = 0;
  for (const other of pool) {
    if (other === user) continue;
    const distance = squaredDistance(places, user, other);
    let at = numNeighbours;
    while (at > 0 && distance < (distances[at - 1] ?? 0)) at--;
    if (at === numNeighbours) continue;
    distances.copyWithin(at + 1, at, numNeighbours - 1);
    found.copyWithin(at + 1, at, numNeighbours - 1);
    distances[at] = distance;
    found[at] = other;
    count = Math.min(count + 1, numNeighbours);
  }
  return found.subarray(0, count);
}

function squaredDistance({ dims, coordinates }: Places, a: number, b: number): number {
  let sum = 0;
  for (let axis = 0; axis < dims; axis++)
    sum += ((coordinates[a * dims + axis] ?? 0) - (coordinates[b * dims + axis] ?? 0)) ** 2;
  return sum;
}

/**
 * Scores less the mean score of each user's nearest reference users, shape (numUsers,); the scores as they are where there is
 * no pool.
 */
export function neighbourDifference(population: AuditPopulation, scores: Float64Array): Float64Array {
  const pool = neighbourPool(population);
  const { places } = population;
  if (pool === undefined || places === undefined) return scores;
  return scores.map((score, user) => {
    const near = nearest(places, user, pool);
    const sum = near.reduce((total, other) => total + (scores[other] ?? 0), 0);
    return score - sum / near.length;
  });
}
