import { ParleyError } from '../../../shared/errors.ts';
import { clopperPearson } from '../../../shared/stats/interval.ts';
import type { Detector } from './settings.ts';
import { type Sketcher, squaredDistance } from './sketch.ts';

/** What ordinary queries look like, as figures of a reference table; no record of it is kept. */
export interface Reference {
  /** Squared distance of sketches up to which a record counts as a copy of another. */
  readonly nearSquared: number;
  /** Limits of the bands of confidence, ascending, shape (numBands - 1,). */
  readonly bandLimits: readonly number[];
  readonly groupings: readonly Grouping[];
}

/** A way to tell queries apart into groups, and each group's share. */
export interface Grouping {
  readonly detector: Extract<Detector, 'subpopulation' | 'calibration'>;
  readonly column: string;
  readonly values: readonly string[];
  /** Upper bounds of the shares at confidence 0.999, shape (numValues,). */
  readonly shares: readonly number[];
}

/** One user of a reference table. */
export interface ReferenceUser {
  /** Shape (numFeatures,): the user's first record. */
  readonly record: Float32Array;
  /** Index into each subpopulation's vocabulary, shape (numSubpopulations,). */
  readonly groups: readonly number[];
  /** The model's own answer. */
  readonly label: number;
  readonly confidence: number;
}

/** The names of what groups are made of. */
export interface GroupNames {
  readonly subpopulations: readonly { readonly column: string; readonly vocabulary: readonly string[] }[];
  readonly classes: readonly string[];
}

/** Places for sketches at each caller; a copy is looked for among so many. */
export const rememberedSketches = 512;

/** Users without whom a reference says too little: as many probes as places. */
export const fewestReferenceUsers = 2 * rememberedSketches;

/** Of unrelated records so many have one of the remembered ones so near. */
const unrelatedNear = 0.05;
const numBands = 10;

/**
 * The reference that these users make.
 *
 * @throws CONFIG_INVALID for fewer than {@link fewestReferenceUsers}.
 */
export function referenceOf(
  users: readonly ReferenceUser[],
  names: GroupNames,
  sketcher: Sketcher,
): Reference {
  if (users.length < fewestReferenceUsers)
    throw new ParleyError(
      'CONFIG_INVALID',
      `monitor.reference has ${users.length} users; it takes ${fewestReferenceUsers} to know how near unrelated records lie: give a larger table, or leave it out`,
    );
  const bandLimits = limitsOf(users.map(({ confidence }) => confidence));
  const count = (values: readonly string[], of: (user: ReferenceUser) => number): number[] =>
    values.map((_, value) => upperShare(users.filter((user) => of(user) === value).length, users.length));
  const grouping = (
    detector: Grouping['detector'],
    column: string,
    values: readonly string[],
    of: (user: ReferenceUser) => number,
  ): Grouping => ({ detector, column, values, shares: count(values, of) });
  const bands = Array.from({ length: bandLimits.length + 1 }, (_, band) => `band ${band + 1}`);
  return {
    nearSquared: nearSquared(users, sketcher),
    bandLimits,
    groupings: [
      ...names.subpopulations.map(({ column, vocabulary }, index) =>
        grouping('subpopulation', column, vocabulary, ({ groups }) => groups[index] ?? -1),
      ),
      grouping('calibration', 'answer', names.classes, ({ label }) => label),
      grouping('calibration', 'confidence', bands, ({ confidence }) => bandOf(confidence, bandLimits)),
    ],
  };
}

/** Which band of confidence an answer falls into, from 0. */
export function bandOf(confidence: number, limits: readonly number[]): number {
  return limits.filter((limit) => confidence >= limit).length;
}

function upperShare(count: number, total: number): number {
  return clopperPearson(count, total, 0.998).high;
}

/** Tenths of the reference's answers; fewer where many are alike. */
function limitsOf(confidences: readonly number[]): number[] {
  const ascending = Float64Array.from(confidences).sort();
  const at = (share: number): number => ascending[Math.floor(share * ascending.length)] ?? 0;
  return [...new Set(Array.from({ length: numBands - 1 }, (_, band) => at((band + 1) / numBands)))];
}

/** Whether a record stands among the remembered or the probes is up to its keyed digest, so the table's order does not matter. */
function nearSquared(users: readonly ReferenceUser[], { digest, sketch }: Sketcher): number {
  const order = users
    .map(({ record }) => ({ record, key: Buffer.from(digest(record)).toString('hex') }))
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .slice(0, 3 * rememberedSketches)
    .map(({ record }) => sketch(record));
  const remembered = order.slice(0, rememberedSketches);
  const nearest = order.slice(rememberedSketches).map((probe) => {
    let least = Infinity;
    for (const known of remembered) least = Math.min(least, squaredDistance(probe, known, least));
    return least;
  });
  return Float64Array.from(nearest).sort()[Math.floor(unrelatedNear * nearest.length)] ?? 0;
}
