import type { EmbeddingSignals, RecordSignals } from '../../shared/model/signals.ts';
import type { Evidence } from './evidence.ts';
import { type AuditPopulation, offsetsOf, recordsOf } from './population.ts';

/** Indices of the audit users who are people, ascending. */
export function ordinaryUsers({ roles, mislabelled }: AuditPopulation): Int32Array {
  return usersWhere(roles.length, (user) => mislabelled?.[user] !== 1);
}

/** Indices of the mislabelled canaries and of the reference users, who calibrate attacks on them; ascending. */
export function mislabelledWithReference({ roles, mislabelled }: AuditPopulation): Int32Array {
  return usersWhere(roles.length, (user) => mislabelled?.[user] === 1 || roles[user] === 'reference');
}

/** The same population with some of its users only, in the order given. */
export function populationOfUsers(population: AuditPopulation, users: Int32Array): AuditPopulation {
  const { roles, recordOffsets, labels, places, names, mislabelled, freshCounts } = population;
  const counts = users.map((user) => (recordOffsets[user + 1] ?? 0) - (recordOffsets[user] ?? 0));
  return {
    roles: Array.from(users, (user) => roles[user] ?? 'reference'),
    recordOffsets: offsetsOf(counts),
    labels: Int32Array.from(recordsOf(population, users), (record) => labels[record] ?? 0),
    numClasses: population.numClasses,
    subpopulations: population.subpopulations.map((column) => ({
      ...column,
      codes: users.map((user) => column.codes[user] ?? -1),
    })),
    ...(freshCounts && { freshCounts: users.map((user) => freshCounts[user] ?? 0) }),
    ...(mislabelled && { mislabelled: Uint8Array.from(users, (user) => mislabelled[user] ?? 0) }),
    ...(names && { names: Array.from(users, (user) => names[user] ?? '') }),
    ...(places && { places: { dims: places.dims, coordinates: rowsOf(places, users) } }),
  };
}

/** The evidence of some of its users only, in the order given; the evidence itself when that is everybody. */
export function evidenceOfUsers(evidence: Evidence, users: Int32Array): Evidence {
  const { population, references, lossHistory, marginHistory } = evidence;
  if (users.length === population.roles.length) return evidence;
  const records = recordsOf(population, users);
  const ofUsers = (values: Float32Array): Float32Array => picked(values, users);
  const { embedding } = evidence.current;
  return {
    population: populationOfUsers(population, users),
    initial: signalsOf(evidence.initial, records),
    current: {
      ...signalsOf(evidence.current, records),
      ...(embedding && { embedding: embeddingOf(embedding, ofUsers) }),
    },
    references: references.map((reference) => signalsOf(reference, records)),
    lossHistory: lossHistory.map(ofUsers),
    marginHistory: marginHistory.map(ofUsers),
  };
}

function signalsOf(signals: RecordSignals, records: readonly number[]): RecordSignals {
  return {
    loss: picked(signals.loss, records),
    margin: picked(signals.margin, records),
    hinge: picked(signals.hinge, records),
    entropy: picked(signals.entropy, records),
    modifiedEntropy: picked(signals.modifiedEntropy, records),
  };
}

/** Values at some places. A plain loop: every round of a run with canaries picks the whole history twice. */
function picked(values: Float32Array, places: ArrayLike<number>): Float32Array {
  const some = new Float32Array(places.length);
  for (let i = 0; i < some.length; i++) some[i] = values[places[i] ?? 0] ?? Number.NaN;
  return some;
}

function embeddingOf(
  { compactness, pair, separation }: EmbeddingSignals,
  ofUsers: (values: Float32Array) => Float32Array,
): EmbeddingSignals {
  return { compactness: ofUsers(compactness), pair: ofUsers(pair), separation: ofUsers(separation) };
}

function rowsOf(
  { dims, coordinates }: { dims: number; coordinates: Float32Array },
  users: Int32Array,
): Float32Array {
  const rows = new Float32Array(users.length * dims);
  users.forEach((user, index) => {
    rows.set(coordinates.subarray(user * dims, (user + 1) * dims), index * dims);
  });
  return rows;
}

function usersWhere(numUsers: number, belongs: (user: number) => boolean): Int32Array {
  return Int32Array.from({ length: numUsers }, (_, user) => user).filter(belongs);
}
