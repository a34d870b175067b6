import type { Places } from '../../shared/data/places.ts';
import type { SubpopulationColumn } from '../../shared/data/shard.ts';
import type { Rng } from '../../shared/random/rng.ts';
import { uniformBelow } from '../../shared/random/sample.ts';
import type { AuditPopulation } from './population.ts';
import { ordinaryUsers, populationOfUsers } from './subset.ts';

/** The column that users are grouped by for being alike. */
export const neighbourhoodColumn = 'neighbourhood';

const numClusters = 8;
const mostSteps = 50;
const starts = 8;
/** Clusters are made of so many users at most, evenly spread over the rosters. */
const mostPoints = 2000;

/**
 * Adds the column `neighbourhood` to populations that have places: 8 clusters of all ordinary audit users by k-means (Lloyd
 * 1982; centres by k-means++, Arthur and Vassilvitskii 2007). It is made once, from rosters, before there is any score, and it
 * looks at nobody's role: within a neighbourhood members and held-out users differ by the coin alone. A declared column of that
 * name becomes `neighbourhood (declared)`. Populations without places, or with other dimensions than the first, stay as they are.
 */
export function withNeighbourhoods<K>(
  populations: ReadonlyMap<K, AuditPopulation>,
  rng: Rng,
): Map<K, AuditPopulation> {
  const dims = [...populations.values()].find(({ places }) => places)?.places?.dims;
  const placed = [...populations.values()].filter(({ places }) => places?.dims === dims);
  const points = placed.flatMap((population) => {
    const { places } = populationOfUsers(population, ordinaryUsers(population));
    return places ? rowsOf(places) : [];
  });
  const step = Math.max(1, Math.ceil(points.length / mostPoints));
  const centres = clusterCentres(
    points.filter((_, index) => index % step === 0),
    rng,
  );
  return new Map(
    [...populations].map(([key, population]) => {
      const { places } = population;
      if (places?.dims !== dims || places === undefined || centres.length === 0) return [key, population];
      return [key, withColumn(population, places, centres)];
    }),
  );
}

type Point = Float32Array | Float64Array;

/** Centres of at most 8 clusters, the closest to their points of eight starts; fewer when there are fewer distinct points. */
export function clusterCentres(points: readonly Point[], rng: Rng): Float64Array[] {
  const found = Array.from({ length: starts }, () => settled(points, firstCentres(points, rng)));
  const spreads = found.map((centres) => gapsTo(points, centres).reduce((sum, gap) => sum + gap, 0));
  return found[spreads.indexOf(Math.min(...spreads))] ?? [];
}

function settled(points: readonly Point[], first: readonly Float64Array[]): Float64Array[] {
  let centres = [...first];
  for (let step = 0; step < mostSteps; step++) {
    const moved = meansOf(points, centres);
    const still = moved.every((centre, index) => distance(centre, centres[index] ?? centre) === 0);
    centres = moved;
    if (still) break;
  }
  return centres;
}

/** Squared distance of each point to its nearest centre. */
function gapsTo(points: readonly Point[], centres: readonly Float64Array[]): number[] {
  return points.map((point) => distance(point, centres[closest(point, centres)] ?? point));
}

function firstCentres(points: readonly Point[], rng: Rng): Float64Array[] {
  if (points.length === 0) return [];
  const centres = [Float64Array.from(points[uniformBelow(rng, points.length)] ?? [])];
  while (centres.length < numClusters) {
    const gaps = gapsTo(points, centres);
    const total = gaps.reduce((sum, gap) => sum + gap, 0);
    if (total === 0) break;
    let left = rng.uniform() * total;
    const chosen = gaps.findIndex((gap) => {
      left -= gap;
      return left < 0;
    });
    centres.push(Float64Array.from(points[Math.max(0, chosen)] ?? []));
  }
  return centres;
}

/** Means of the points nearest to each centre; a centre without points stays. */
function meansOf(points: readonly Point[], centres: readonly Float64Array[]): Float64Array[] {
  const sums = centres.map((centre) => new Float64Array(centre.length));
  const counts = centres.map(() => 0);
  for (const point of points) {
    const cluster = closest(point, centres);
    counts[cluster] = (counts[cluster] ?? 0) + 1;
    const sum = sums[cluster];
    if (sum) for (const [axis, value] of point.entries()) sum[axis] = (sum[axis] ?? 0) + value;
  }
  return sums.map((sum, cluster) => {
    const count = counts[cluster] ?? 0;
    return count > 0 ? sum.map((value) => value / count) : (centres[cluster] ?? sum);
  });
}

function closest(point: Point, centres: readonly Float64Array[]): number {
  let [nearest, smallest] = [0, Infinity];
  for (const [index, centre] of centres.entries()) {
    const gap = distance(point, centre);
    if (gap < smallest) [nearest, smallest] = [index, gap];
  }
  return nearest;
}

function distance(a: Point, b: Point): number {
  let sum = 0;
  for (let axis = 0; axis < a.length; axis++) sum += ((a[axis] ?? 0) - (b[axis] ?? 0)) ** 2;
  return sum;
}

function rowsOf({ dims, coordinates }: Places): Float32Array[] {
  return Array.from({ length: coordinates.length / dims }, (_, user) =>
    coordinates.subarray(user * dims, (user + 1) * dims),
  );
}

function withColumn(
  population: AuditPopulation,
  places: Places,
  centres: readonly Float64Array[],
): AuditPopulation {
  const column: SubpopulationColumn = {
    column: neighbourhoodColumn,
    vocabulary: centres.map((_, cluster) => String(cluster + 1)),
    codes: Int32Array.from(rowsOf(places), (place) => closest(place, centres)),
  };
  const declared = population.subpopulations.map((own) =>
    own.column === neighbourhoodColumn ? { ...own, column: `${neighbourhoodColumn} (declared)` } : own,
  );
  return { ...population, subpopulations: [...declared, column] };
}
