import { z } from 'zod';
import { maxPlaceDims, type Places } from '../data/places.ts';
import type { SubpopulationColumn } from '../data/shard.ts';
import { ParleyError } from '../errors.ts';
import { f32, finite, i32, onlyThese } from './expected-tensors.ts';
import { parsedJson } from './json.ts';
import { decodeTensors, encodeTensors, type Tensor, type TensorFile } from './safetensors.ts';

/** Roles of audit users on the wire, by code: 0 trains, 1 never trains, 2 never trains and calibrates attacks. */
export const auditRoles = ['member', 'held-out', 'reference'] as const;

/** Strata of audit users on the wire, by code: 0 people, 1 canaries whose labels were changed to wrong ones. */
export const auditStrata = ['ordinary', 'mislabelled'] as const;

/**
 * A site's audit users: outside the promise by consent, and known by position only (no identifiers travel). Every array
 * of records lists the records of user 0, then those of user 1, and so on.
 */
export interface Roster {
  /** The site's declared number of users, a public constant: the denominator of its share. 1 .. 5e6. */
  readonly declaredUsers: number;
  /** Shape (numUsers,), index into `auditRoles`. */
  readonly users: { readonly roles: Int32Array };
  /** Shape (numUsers,), records of each audit user, >= 1. */
  readonly recordCounts: Int32Array;
  /** Shape (numUsers,), how many of each user's last records never train, at least one less than there are. */
  readonly freshCounts: Int32Array;
  /** Shape (numRecords,), class index. */
  readonly labels: Int32Array;
  /** Attributes of the audit users, codes of shape (numUsers,). */
  readonly subpopulations: readonly SubpopulationColumn[];
  /** Coins of the random-direction canaries, shape (numCanaries,): 0 member, 1 held-out. They have no records. */
  readonly canaries: Int32Array;
  /** Shape (numUsers,), index into `auditStrata`; left out: all are ordinary. */
  readonly strata?: Int32Array | undefined;
  /** Where the audit users stand in the space of features, shape (numUsers, dims); left out where the site does not say. */
  readonly places?: Places | undefined;
  readonly privacy: 'private' | 'simulation: not private';
}

const maxUsers = 5_000_000;
const maxCanaries = 100_000;
const maxVocabulary = 1000;
const text = z.string().max(200);
const distinct = (values: readonly string[]): boolean => new Set(values).size === values.length;

const Header = z.strictObject({
  declaredUsers: z.number().int().positive().max(maxUsers),
  privacy: z.enum(['private', 'simulation: not private']),
  columns: z
    .array(
      z.strictObject({
        column: text,
        vocabulary: z.array(text).max(maxVocabulary).refine(distinct, 'a value stands twice'),
      }),
    )
    .max(100)
    .refine((columns) => distinct(columns.map(({ column }) => column)), 'a column stands twice'),
});

/**
 * Bytes of a roster.
 *
 * @throws WRONG_SHAPE when the parts do not agree, exactly as the coordinator would refuse it.
 */
export function encodedRoster(roster: Roster, numClasses: number): Uint8Array {
  const header = {
    declaredUsers: roster.declaredUsers,
    privacy: roster.privacy,
    columns: roster.subpopulations.map(({ column, vocabulary }) => ({ column, vocabulary })),
  };
  const bytes = encodeTensors(
    [
      column('roles', roster.users.roles),
      column('recordCounts', roster.recordCounts),
      column('freshCounts', roster.freshCounts),
      column('labels', roster.labels),
      column('canaries', roster.canaries),
      ...roster.subpopulations.map(({ codes }, index) => column(codesName(index), codes)),
      ...(roster.strata ? [column('strata', roster.strata)] : []),
      ...(roster.places ? [placesTensor(roster.places)] : []),
    ],
    { roster: JSON.stringify(header) },
  );
  decodedRoster(bytes, numClasses);
  return bytes;
}

/**
 * A received roster.
 *
 * @throws WRONG_SHAPE when lengths disagree, a label is no class, a code is outside its vocabulary, or a limit is passed;
 * NON_FINITE for a place that is not finite.
 */
export function decodedRoster(bytes: Uint8Array, numClasses: number): Roster {
  const file = decodeTensors(bytes);
  const header = headerOf(file.metadata['roster']);
  const names = header.columns.map((_, index) => codesName(index));
  const optional = ['strata', 'places'].filter((name) => file.tensors.has(name));
  onlyThese(file, ['roles', 'recordCounts', 'freshCounts', 'labels', 'canaries', ...names, ...optional]);
  const roles = vector(file, 'roles');
  if (roles.length > maxUsers) throw wrong(`${roles.length} audit users, at most ${maxUsers}`);
  const recordCounts = i32(file, 'recordCounts', [roles.length]);
  const numRecords = recordCounts.reduce((sum, count) => sum + count, 0);
  const labels = vector(file, 'labels');
  within('recordCounts', recordCounts, [1, labels.length]);
  if (numRecords !== labels.length)
    throw wrong(`${labels.length} labels for ${numRecords} records of the audit users`);
  const freshCounts = i32(file, 'freshCounts', [roles.length]);
  within('freshCounts', freshCounts, [0, labels.length]);
  if (freshCounts.some((fresh, user) => fresh >= (recordCounts[user] ?? 0)))
    throw wrong('a user has no record that may train');
  within('roles', roles, [0, auditRoles.length - 1]);
  within('labels', labels, [0, numClasses - 1]);
  const subpopulations = header.columns.map(({ column, vocabulary }, index) => {
    const codes = i32(file, codesName(index), [roles.length]);
    within(`codes of ${column}`, codes, [0, vocabulary.length - 1]);
    return { column, vocabulary, codes };
  });
  const canaries = vector(file, 'canaries');
  if (canaries.length > maxCanaries) throw wrong(`${canaries.length} canaries, at most ${maxCanaries}`);
  within('canaries', canaries, [0, 1]);
  const { declaredUsers, privacy } = header;
  const audited = { users: { roles }, recordCounts, freshCounts, labels, subpopulations };
  const about = { declaredUsers, ...audited, canaries, privacy };
  return { ...about, ...strataOf(file, roles.length), ...placesIn(file, roles.length) };
}

function strataOf(file: TensorFile, numUsers: number): Pick<Roster, 'strata'> {
  if (!file.tensors.has('strata')) return {};
  const strata = i32(file, 'strata', [numUsers]);
  within('strata', strata, [0, auditStrata.length - 1]);
  return { strata };
}

function placesIn(file: TensorFile, numUsers: number): Pick<Roster, 'places'> {
  const tensor = file.tensors.get('places');
  if (tensor === undefined) return {};
  const dims = tensor.shape[1] ?? 0;
  if (dims < 1 || dims > maxPlaceDims)
    throw wrong(`places have ${dims} coordinates, at most ${maxPlaceDims}`);
  return { places: { dims, coordinates: finite(f32(file, 'places', [numUsers, dims]), 'places') } };
}

function headerOf(json: string | undefined): z.infer<typeof Header> {
  const parsed = Header.safeParse(parsedJson(json ?? ''));
  if (!parsed.success) throw wrong(`metadata: ${z.prettifyError(parsed.error)}`);
  return parsed.data;
}

function within(what: string, values: Int32Array, [low, high]: readonly [number, number]): void {
  const at = values.findIndex((value) => value < low || value > high);
  if (at >= 0) throw wrong(`${what} holds ${values[at] ?? NaN} at ${at}, expected ${low} to ${high}`);
}

function vector(file: TensorFile, name: string): Int32Array {
  const tensor = i32(file, name);
  return i32(file, name, [tensor.length]);
}

function column(name: string, data: Int32Array): Tensor {
  return { name, dtype: 'I32', shape: [data.length], data };
}

function placesTensor({ dims, coordinates }: Places): Tensor {
  return { name: 'places', dtype: 'F32', shape: [coordinates.length / dims, dims], data: coordinates };
}

function codesName(index: number): string {
  return `codes.${index}`;
}

function wrong(detail: string): ParleyError {
  return new ParleyError('WRONG_SHAPE', `roster: ${detail}`);
}
