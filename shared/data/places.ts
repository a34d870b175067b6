import { type Rng, seededRng } from '../random/rng.ts';
import { type RunId, Seed } from '../units.ts';
import type { Shard } from './shard.ts';

/** Where audit users stand in a space that has nothing to do with any model, so that a user can be compared with her like. */
export interface Places {
  /** 1 .. `maxPlaceDims`. */
  readonly dims: number;
  /** Shape (numUsers, dims), row-major, finite. */
  readonly coordinates: Float32Array;
}

/** Coordinates of a place at most; tables with more features are projected. */
export const maxPlaceDims = 16;

/**
 * Places of some users of a shard, in the order given: the mean of each one's encoded features over her records. With more
 * than 16 features the means are multiplied by a matrix of random signs over 4, shape (16, numFeatures), which keeps distances
 * (Achlioptas 2003); it is the same at all sites of a run and public.
 */
export function placesOf(shard: Shard, users: Int32Array, run: RunId): Places {
  const { numFeatures } = shard;
  const dims = Math.min(numFeatures, maxPlaceDims);
  const signs = numFeatures > dims ? signMatrix(numFeatures, run) : undefined;
  const coordinates = new Float32Array(users.length * dims);
  users.forEach((user, index) => {
    const mean = meanFeatures(shard, user);
    coordinates.set(signs ? projected(mean, signs) : mean, index * dims);
  });
  return { dims, coordinates };
}

/** A stream that everybody who knows the run's id can draw again: for what must be the same everywhere and hides nothing. */
export function publicRng(run: RunId, purpose: string): Rng {
  return seededRng(Seed.parse(1)).fork(`public ${purpose} of run ${run}`);
}

function meanFeatures({ features, numFeatures, userOffsets }: Shard, user: number): Float64Array {
  const [start, end] = [userOffsets[user] ?? 0, userOffsets[user + 1] ?? 0];
  const mean = new Float64Array(numFeatures);
  for (let record = start; record < end; record++)
    for (let feature = 0; feature < numFeatures; feature++)
      mean[feature] = (mean[feature] ?? 0) + (features[record * numFeatures + feature] ?? 0) / (end - start);
  return mean;
}

/** Shape (16, numFeatures), row-major: each entry +1/4 or -1/4. */
function signMatrix(numFeatures: number, run: RunId): Float64Array {
  const rng = publicRng(run, 'places');
  const size = 1 / Math.sqrt(maxPlaceDims);
  return Float64Array.from({ length: maxPlaceDims * numFeatures }, () => (rng.uint32() & 1 ? size : -size));
}

function projected(mean: Float64Array, signs: Float64Array): Float64Array {
  const at = (row: number): number =>
    mean.reduce((sum, value, feature) => sum + value * (signs[row * mean.length + feature] ?? 0), 0);
  return Float64Array.from({ length: maxPlaceDims }, (_, row) => at(row));
}
