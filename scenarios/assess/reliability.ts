import type { RecordSignals } from '../../shared/model/signals.ts';
import { type MeanEstimate, meanEstimate } from '../../shared/stats/mean.ts';

/** Whether a model is as often right as it is sure. */
export interface Reliability {
  readonly users: number;
  readonly records: number;
  /** Confidence less accuracy, each user counting once, with Student's interval over users. Above 0: too sure. */
  readonly overconfidence: MeanEstimate;
  /**
   * Expected calibration error of the answered class: mean over `bins` bins of equally many records, by confidence, of the distance
   * between mean confidence and accuracy (Naeini, Cooper and Hauskrecht 2015). Biased upwards: a calibrated model has one above 0.
   */
  readonly expectedError: number;
  /** What a calibrated model with these confidences would show on average, if records were independent. */
  readonly errorByChance: number;
  readonly bins: number;
}

/** The user's records that are looked at: indices into the signals, never none. */
export type RecordsOfUsers = readonly (readonly number[])[];

const numBins = 10;

/**
 * Reliability of the answers to the records of some users (at least one), from signals alone: the probability of the answered class
 * is e^-(loss + min(hinge, 0)), since the hinge is the distance in logits between the label and the best other class.
 */
export function reliability(signals: RecordSignals, users: RecordsOfUsers): Reliability {
  const answerOf = (record: number): Answer => {
    const [loss = Number.NaN, hinge = Number.NaN] = [signals.loss[record], signals.hinge[record]];
    return { confidence: Math.exp(-(loss + Math.min(hinge, 0))), right: hinge > 0 ? 1 : 0 };
  };
  const answers = users.map((records) => records.map(answerOf));
  const all = answers.flat().toSorted((a, b) => a.confidence - b.confidence);
  const bins = Math.min(numBins, all.length);
  const excess = answers.map(
    (own) => own.reduce((sum, { confidence, right }) => sum + confidence - right, 0) / own.length,
  );
  return {
    ...{ users: users.length, records: all.length, overconfidence: meanEstimate(excess), bins },
    ...binnedErrors(all, bins),
  };
}

interface Answer {
  /** Probability of the answered class. */
  readonly confidence: number;
  /** 1 when that class is the label; a tie is wrong, as in utility. */
  readonly right: number;
}

/** `answers` ascending by confidence. */
function binnedErrors(
  answers: readonly Answer[],
  bins: number,
): Pick<Reliability, 'expectedError' | 'errorByChance'> {
  let [expectedError, errorByChance] = [0, 0];
  for (let bin = 0; bin < bins; bin++) {
    const [start, end] = [bin, bin + 1].map((edge) => Math.floor((edge * answers.length) / bins));
    let [excess, spread] = [0, 0];
    for (const { confidence, right } of answers.slice(start, end)) {
      excess += confidence - right;
      spread += confidence * (1 - confidence);
    }
    expectedError += Math.abs(excess) / answers.length;
    // Mean distance of a normal variable from its mean.
    errorByChance += Math.sqrt((2 / Math.PI) * spread) / answers.length;
  }
  return { expectedError, errorByChance };
}
