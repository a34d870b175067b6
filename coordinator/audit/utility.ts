import { ParleyError } from '../../shared/errors.ts';
import type { RecordSignals } from '../../shared/model/signals.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { auc } from '../../shared/stats/roc.ts';
import { type AuditPopulation, recordsOf, usersWithRole } from './population.ts';

/**
 * What a model is worth, on the records of the held-out audit users, who never train: AUC of the positive class for two
 * classes (accuracy when only one of them occurs), else accuracy; accuracy, a tie counting as wrong; and mean loss in
 * nats. Throws CONFIG_INVALID without held-out users and NON_FINITE when a margin is not a number.
 */
export function utilityOf(population: AuditPopulation, signals: RecordSignals): RoundReport['utility'] {
  const records = heldOutRecords(population);
  const share = (counted: (record: number) => number): number =>
    records.reduce((sum, record) => sum + counted(record), 0) / records.length;
  const accuracy = share((record) => ((signals.hinge[record] ?? 0) > 0 ? 1 : 0));
  const loss = share((record) => signals.loss[record] ?? 0);
  const separation = twoClassAuc(population, signals, records);
  return {
    ...(separation === undefined
      ? { metric: 'accuracy' as const, value: accuracy }
      : { metric: 'auc' as const, value: separation }),
    accuracy,
    loss,
    heldOutRecords: records.length,
  };
}

function heldOutRecords(population: AuditPopulation): number[] {
  const people = usersWithRole(population, 'held-out').filter((user) => population.mislabelled?.[user] !== 1);
  const records = recordsOf(population, people);
  if (records.length === 0)
    throw new ParleyError(
      'CONFIG_INVALID',
      'there are no held-out audit users to measure utility on: raise the share of audit users at the sites',
    );
  return records;
}

/** The margin is that of the true class, so a record of class 0 scores minus its margin for the positive class. */
function twoClassAuc(
  { labels, numClasses }: AuditPopulation,
  { margin }: RecordSignals,
  records: readonly number[],
): number | undefined {
  const positives = records.filter((record) => labels[record] === 1);
  const negatives = records.filter((record) => labels[record] === 0);
  if (numClasses !== 2 || positives.length === 0 || negatives.length === 0) return undefined;
  return auc(
    Float64Array.from(positives, (record) => margin[record] ?? 0),
    Float64Array.from(negatives, (record) => -(margin[record] ?? 0)),
  );
}
