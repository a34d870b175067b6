import { ParleyError } from '../../shared/errors.ts';
import type { RecordSignals, Signals } from '../../shared/model/signals.ts';
import type { AuditPopulation } from './population.ts';

/** All that an attack may look at after a round: the audit users' signals under the global models, never an update. */
export interface Evidence {
  /** Roles included, for evaluation; an attack itself may only ask who is a reference user. */
  readonly population: AuditPopulation;
  /** Signals under the initial model, version 0. */
  readonly initial: RecordSignals;
  /** Signals under the model that is attacked. */
  readonly current: Signals;
  /** Signals under public reference models, which saw none of these users; empty when the run has none. */
  readonly references: readonly RecordSignals[];
  /** Each user's mean loss in nats after every finished round, this one included; each shape (numUsers,). */
  readonly lossHistory: readonly Float32Array[];
  /** The same of the mean margin. */
  readonly marginHistory: readonly Float32Array[];
}

/** Mean of a signal over each user's records, shape (numUsers,), from values of shape (numRecords,). Throws DATA_EMPTY. */
export function userMeans(population: AuditPopulation, perRecord: Float32Array): Float32Array {
  return new Float32Array(meanByUser(population, (record) => perRecord[record] ?? 0));
}

/**
 * Mean over each user's records of a value computed from the record's index, in float64; shape (numUsers,). Throws
 * DATA_EMPTY for a user without records, who has no mean.
 */
export function meanByUser(population: AuditPopulation, valueOf: (record: number) => number): Float64Array {
  const { roles, recordOffsets } = population;
  const means = new Float64Array(roles.length);
  for (let user = 0; user < means.length; user++) {
    const start = recordOffsets[user] ?? 0;
    const end = recordOffsets[user + 1] ?? start;
    if (end <= start) throw withoutRecords(user);
    let sum = 0;
    for (let record = start; record < end; record++) sum += valueOf(record);
    means[user] = sum / (end - start);
  }
  return means;
}

/**
 * The same with another summary than the mean: `summarise` gets the values of a user's records in float64, never none.
 * Throws DATA_EMPTY as {@link meanByUser}.
 */
export function summaryByUser(
  population: AuditPopulation,
  valueOf: (record: number) => number,
  summarise: (values: Float64Array) => number,
): Float64Array {
  const { roles, recordOffsets } = population;
  const summaries = new Float64Array(roles.length);
  for (let user = 0; user < summaries.length; user++) {
    const start = recordOffsets[user] ?? 0;
    const end = recordOffsets[user + 1] ?? start;
    if (end <= start) throw withoutRecords(user);
    const values = new Float64Array(end - start);
    for (let record = start; record < end; record++) values[record - start] = valueOf(record);
    summaries[user] = summarise(values);
  }
  return summaries;
}

function withoutRecords(user: number): ParleyError {
  return new ParleyError(
    'DATA_EMPTY',
    `audit user ${user} has no records: every audit user needs at least one`,
  );
}
