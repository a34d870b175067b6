import type { RecordSignals } from '../../../shared/model/signals.ts';
import type { Attack } from '../attack.ts';
import { classCalibration } from '../class-calibration.ts';
import { type Evidence, meanByUser } from '../evidence.ts';

/**
 * Scores of records (algorithms D1), oriented so that larger is more member-like, shape (numRecords,) each: log p_y (Yeom et
 * al. 2018), p_y, minus the entropy, minus the modified entropy (Song and Mittal 2021), LiRA's logit, hinge.
 */
const recordScores = {
  loss: ({ loss }) => loss.map((value) => -value),
  confidence: ({ loss }) => loss.map((value) => Math.exp(-value)),
  entropy: ({ entropy }) => entropy.map((value) => -value),
  modifiedEntropy: ({ modifiedEntropy }) => modifiedEntropy.map((value) => -value),
  margin: ({ margin }) => margin,
  hinge: ({ hinge }) => hinge,
} satisfies Record<string, (signals: RecordSignals) => Float32Array>;

type RecordScore = keyof typeof recordScores;

/** Mean of a record score over a user's records. */
export function meanOf(name: RecordScore): Attack {
  return ({ population, current }) => {
    const scores = recordScores[name](current);
    return meanByUser(population, (record) => scores[record] ?? 0);
  };
}

/** The same, each record's score standardised within its class by the reference users' records. */
export function byClass(name: RecordScore): Attack {
  return (evidence) =>
    calibratedMean(evidence, name) ?? {
      notMeasured: 'a class has fewer than 30 records of reference users, or all of them equal',
    };
}

/** The same where it can be, else the plain mean. */
export function byClassWherePossible(name: RecordScore): Attack {
  return (evidence) => calibratedMean(evidence, name) ?? meanOf(name)(evidence);
}

function calibratedMean({ population, current }: Evidence, name: RecordScore): Float64Array | undefined {
  const scores = recordScores[name](current);
  const calibrated = classCalibration(population, scores);
  return (
    calibrated &&
    meanByUser(population, (record) => calibrated(scores[record] ?? 0, population.labels[record] ?? 0))
  );
}
