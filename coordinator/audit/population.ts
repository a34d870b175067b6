import type { Places } from '../../shared/data/places.ts';
import type { SubpopulationColumn } from '../../shared/data/shard.ts';
import { ParleyError } from '../../shared/errors.ts';
import { auditRoles, type Roster } from '../../shared/protocol/roster.ts';

/** What an independent coin, flipped before the run, made of an audit user. Reference users never train and calibrate. */
export type Role = (typeof auditRoles)[number];

/** The audit users of one site or of several: who they are to the audit, and how their records are counted. */
export interface AuditPopulation {
  /** Shape (numUsers,). */
  readonly roles: readonly Role[];
  /** Shape (numUsers + 1,): records of user u stand in rows recordOffsets[u] .. recordOffsets[u + 1] - 1. */
  readonly recordOffsets: Int32Array;
  /** Shape (numRecords,), class index in 0 .. numClasses - 1. */
  readonly labels: Int32Array;
  /** 2 for a yes/no label. */
  readonly numClasses: number;
  /** Shape (numUsers,), how many of each user's last records never train; none when left out. */
  readonly freshCounts?: Int32Array;
  /** Attributes by which users are grouped, codes of shape (numUsers,). */
  readonly subpopulations: readonly SubpopulationColumn[];
  /** Shape (numUsers,): 1 for a canary with wrong labels, whose figures stand apart; none when left out. */
  readonly mislabelled?: Uint8Array;
  /** Where users stand in the space of features; left out unless every site said it. */
  readonly places?: Places;
  /** Shape (numUsers,): site and position in its roster, as `north#17`. */
  readonly names?: readonly string[];
}

/** The population of one site, under the name that becomes its value of the column `site`. */
export interface PopulationPart {
  readonly name: string;
  readonly population: AuditPopulation;
}

/** The audit users that a site declared in its roster, for a model with `numClasses` classes. */
export function populationOf(roster: Roster, numClasses: number): AuditPopulation {
  return {
    roles: Array.from(roster.users.roles, roleOf),
    recordOffsets: offsetsOf(roster.recordCounts),
    labels: roster.labels,
    freshCounts: roster.freshCounts,
    numClasses,
    subpopulations: roster.subpopulations,
    ...(roster.strata && { mislabelled: Uint8Array.from(roster.strata) }),
    ...(roster.places && { places: roster.places }),
  };
}

/**
 * Several populations as one, users and records in the given order. Columns of one name are merged, values by name; users
 * of a site without a column get the value `(not recorded)`, and a column `site` is added from the names (a declared
 * column of that name becomes `site (declared)`). Throws DATA_EMPTY without parts and CONFIG_INVALID when the parts do
 * not agree on the number of classes.
 */
export function mergePopulations(parts: readonly PopulationPart[]): AuditPopulation {
  const populations = parts.map(({ population }) => population);
  return {
    roles: populations.flatMap(({ roles }) => roles),
    recordOffsets: offsetsOf(concatenated(populations.map(recordCounts))),
    labels: concatenated(populations.map(({ labels }) => labels)),
    freshCounts: concatenated(populations.map(freshCountsOf)),
    numClasses: agreedClasses(parts),
    subpopulations: [siteColumn(parts), ...columnNames(populations).map((name) => merged(name, populations))],
    names: parts.flatMap(({ name, population }) => population.roles.map((_, user) => `${name}#${user}`)),
    ...mergedStrata(populations),
    ...mergedPlaces(populations),
  };
}

/** Number of records of all audit users. */
export function numRecords(population: AuditPopulation): number {
  return population.labels.length;
}

/** Indices of the users with a role, ascending. */
export function usersWithRole(population: AuditPopulation, role: Role): Int32Array {
  const { roles } = population;
  const users = new Int32Array(roles.length);
  let count = 0;
  for (let user = 0; user < roles.length; user++) if (roles[user] === role) users[count++] = user;
  return users.slice(0, count);
}

/** Indices of the records of some users, user by user. */
export function recordsOf({ recordOffsets }: AuditPopulation, users: Int32Array): number[] {
  const records: number[] = [];
  for (const user of users)
    for (let record = recordOffsets[user] ?? 0; record < (recordOffsets[user + 1] ?? 0); record++)
      records.push(record);
  return records;
}

/** Number of users of each role. */
export function roleCounts({ roles }: AuditPopulation): {
  members: number;
  heldOut: number;
  reference: number;
} {
  const count = (role: Role): number => roles.filter((own) => own === role).length;
  return { members: count('member'), heldOut: count('held-out'), reference: count('reference') };
}

/** The two samples that an attack is evaluated on, from scores of shape (numUsers,). */
export interface ScoresByRole {
  readonly members: Float64Array;
  readonly heldOut: Float64Array;
}

/** Picks the scores of the member users and of the held-out users, in user order. */
export function scoresByRole(population: AuditPopulation, scores: Float64Array): ScoresByRole {
  return {
    members: pickedScores(scores, usersWithRole(population, 'member')),
    heldOut: pickedScores(scores, usersWithRole(population, 'held-out')),
  };
}

/** The scores of some users, in their order. */
export function pickedScores(scores: Float64Array, users: Int32Array): Float64Array {
  const picked = new Float64Array(users.length);
  for (let index = 0; index < picked.length; index++) picked[index] = scores[users[index] ?? 0] ?? Number.NaN;
  return picked;
}

function freshCountsOf({ freshCounts, roles }: AuditPopulation): Int32Array {
  return freshCounts ?? new Int32Array(roles.length);
}

function mergedStrata(populations: readonly AuditPopulation[]): Pick<AuditPopulation, 'mislabelled'> {
  if (!populations.some(({ mislabelled }) => mislabelled)) return {};
  const strata = populations.flatMap(({ mislabelled, roles }) => [
    ...(mislabelled ?? new Uint8Array(roles.length)),
  ]);
  return { mislabelled: Uint8Array.from(strata) };
}

/** Only when all populations have places of the same dimensions. */
function mergedPlaces(populations: readonly AuditPopulation[]): Pick<AuditPopulation, 'places'> {
  const dims = populations[0]?.places?.dims;
  const parts = populations.flatMap(({ places }) => (places?.dims === dims && places ? [places] : []));
  if (dims === undefined || parts.length < populations.length) return {};
  const coordinates = new Float32Array(parts.reduce((sum, part) => sum + part.coordinates.length, 0));
  let offset = 0;
  for (const part of parts) {
    coordinates.set(part.coordinates, offset);
    offset += part.coordinates.length;
  }
  return { places: { dims, coordinates } };
}

const notRecorded = '(not recorded)';

function columnNames(populations: readonly AuditPopulation[]): string[] {
  return [
    ...new Set(populations.flatMap(({ subpopulations }) => subpopulations.map(({ column }) => column))),
  ];
}

function merged(name: string, populations: readonly AuditPopulation[]): SubpopulationColumn {
  const columns = populations.map(({ subpopulations }) =>
    subpopulations.find(({ column }) => column === name),
  );
  const declared = [...new Set(columns.flatMap((own) => own?.vocabulary ?? []))];
  // A set first: a site may have declared this very value.
  const possible = [...new Set([...declared, notRecorded])];
  const codeOf = new Map(possible.map((value, code) => [value, code]));
  const missing = codeOf.get(notRecorded) ?? -1;
  const codes = columns.map((own, part) => {
    // Each value is looked up once, not once for each user.
    const renamed = own?.vocabulary.map((value) => codeOf.get(value) ?? missing) ?? [];
    const numUsers = populations[part]?.roles.length ?? 0;
    return own?.codes.map((code) => renamed[code] ?? missing) ?? new Int32Array(numUsers).fill(missing);
  });
  const all = concatenated(codes);
  const vocabulary = all.includes(missing) ? possible : declared;
  return { column: name === 'site' ? 'site (declared)' : name, vocabulary, codes: all };
}

function siteColumn(parts: readonly PopulationPart[]): SubpopulationColumn {
  const codes = parts.map(({ population }, code) => new Int32Array(population.roles.length).fill(code));
  return { column: 'site', vocabulary: parts.map(({ name }) => name), codes: concatenated(codes) };
}

function concatenated(parts: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

function agreedClasses(parts: readonly PopulationPart[]): number {
  const [first, ...others] = parts;
  if (first === undefined)
    throw new ParleyError(
      'DATA_EMPTY',
      'no site has audit users: an audit needs at least one site that scored the model',
    );
  const { numClasses } = first.population;
  const differing = others.find(({ population }) => population.numClasses !== numClasses);
  if (differing !== undefined)
    throw new ParleyError(
      'CONFIG_INVALID',
      `the audit users of ${differing.name} have ${differing.population.numClasses} classes, those of ${first.name} ` +
        `${numClasses}: every site of a run must use the same label`,
    );
  return numClasses;
}

/** Records of each user, shape (numUsers,). */
export function recordCounts({ recordOffsets }: AuditPopulation): Int32Array {
  return recordOffsets.subarray(1).map((end, user) => end - (recordOffsets[user] ?? 0));
}

/** Offsets of shape (counts.length + 1,) from counts: where each one's rows begin. */
export function offsetsOf(counts: Int32Array): Int32Array {
  const offsets = new Int32Array(counts.length + 1);
  counts.forEach((count, user) => {
    offsets[user + 1] = (offsets[user] ?? 0) + count;
  });
  return offsets;
}

function roleOf(code: number): Role {
  const role = auditRoles[code];
  if (role === undefined)
    throw new ParleyError(
      'WRONG_SHAPE',
      `audit role ${code} in a roster: expected 0 to ${auditRoles.length - 1}`,
    );
  return role;
}
