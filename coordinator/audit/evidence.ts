import { ParleyError } from '../../shared/errors.ts';
import type { RecordSignals } from '../../shared/model/signals.ts';
import type { AuditPopulation } from './population.ts';

/** All that an attack may look at after a round: the audit users' signals under the global models, never an update. */
export interface Evidence {
  /** Roles included, for evaluation; an attack itself may only ask who is a reference user. */
  readonly population: AuditPopulation;
  /** Signals under the initial model, version 0. */
  readonly initial: RecordSignals;
  /** Signals under the model that is attacked. */
  readonly current: RecordSignals;
  /** Each user's mean loss in nats after every finished round, this one included; each shape (numUsers,). */
  readonly lossHistory: readonly Float32Array[];
}

/** Mean of a signal over each user's records, shape (numUsers,), from values of shape (numRecords,). Throws DATA_EMPTY. */
export function userMeans(population: AuditPopulation, perRecord: Float32Array): Float32Array {
  return Float32Array.from(meanByUser(population, (record) => perRecord[record] ?? 0));
}

/**
 * Mean over each user's records of a value computed from the record's index, in float64; shape (numUsers,). Throws
 * DATA_EMPTY for a user without records, who has no mean.
 */
export function meanByUser(population: AuditPopulation, valueOf: (record: number) => number): Float64Array {
  const { roles, recordOffsets } = population;
  return Float64Array.from(roles, (_, user) => {
    const start = recordOffsets[user] ?? 0;
    const end = recordOffsets[user + 1] ?? start;
    if (end <= start)
      throw new ParleyError(
        'DATA_EMPTY',
        `audit user ${user} has no records: every audit user needs at least one`,
      );
    let sum = 0;
    for (let record = start; record < end; record++) sum += valueOf(record);
    return sum / (end - start);
  });
}
