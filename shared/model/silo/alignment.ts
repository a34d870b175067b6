import type { Rng } from '../../random/rng.ts';
import { uniformBelow } from '../../random/sample.ts';
import { pickLabels, pickRows } from '../pick-rows.ts';
import type { BothSides } from './adversarial.ts';
import { applyStep, stepsOf } from './descend.ts';
import type { Slope } from './engine.ts';
import type { SiloRound } from './labelled.ts';
import type { SiloDefence } from './silo-defence.ts';
import { addThroughSoftmax, labelSlope, probabilities } from './slopes.ts';

type Alignment = Extract<SiloDefence, { type: 'alignment' }>;

/**
 * Answers to the drawn users' records are pulled towards answers to reference records of the same classes (after Li, Li and
 * Ribeiro, CODASPY 2021): each step descends the loss on labels plus `weight` times the squared maximum mean discrepancy of the
 * two sets of answers. Both sets move: the derivative goes through the model for records of either side.
 */
export async function alignment(
  round: SiloRound,
  { records, reference }: BothSides,
  settings: Alignment,
): Promise<Float32Array> {
  const { descent, received, epochs, numFeatures, rng } = round;
  const { plan, engine, mask, pause } = descent;
  const parameters = received.slice();
  const derivative = new Float64Array(received.length);
  const counterparts = ofSameClass(reference.labels, rng.fork('counterparts'));
  const numRecords = records.labels.length;
  for (const rows of stepsOf({ numRecords, epochs, batchSize: plan.batchSize }, rng.fork('steps'))) {
    const labels = pickLabels(records.labels, rows);
    const features = new Float32Array(2 * rows.length * numFeatures);
    features.set(pickRows(records.features, rows, numFeatures));
    const others = pickRows(reference.features, counterparts(labels), numFeatures);
    features.set(others, rows.length * numFeatures);
    engine.derivative({ parameters, features }, alignmentSlope(round, labels, settings), derivative);
    applyStep(parameters, derivative, { ...plan, mask });
    await pause();
  }
  return parameters;
}

/** For each label a row of that class, or any row where there is none, by chance and with replacement. */
export function ofSameClass(labels: Int32Array, rng: Rng): (wanted: Int32Array) => Int32Array {
  const byClass = new Map<number, number[]>();
  for (const [row, label] of labels.entries()) {
    const rows = byClass.get(label);
    if (rows) rows.push(row);
    else byClass.set(label, [row]);
  }
  return (wanted) =>
    wanted.map((label) => {
      const rows = byClass.get(label);
      return rows === undefined
        ? uniformBelow(rng, labels.length)
        : (rows[uniformBelow(rng, rows.length)] ?? 0);
    });
}

/**
 * The loss on `labels`, those of the first half of a step's rows, plus `weight` times the squared discrepancy between both halves'
 * answers.
 */
export function alignmentSlope(
  { numClasses, objective }: Pick<SiloRound, 'numClasses' | 'objective'>,
  labels: Int32Array,
  { weight, bandwidth }: Pick<Alignment, 'weight' | 'bandwidth'>,
): Slope {
  return (logits, out) => {
    const half = labels.length * numClasses;
    out.fill(0, half);
    const ofLabels = labelSlope(labels, numClasses, objective);
    const loss = ofLabels(logits.subarray(0, half), out.subarray(0, half));
    const answers = probabilities(logits, numClasses);
    const { value, slopes } = squaredDiscrepancy(answers, numClasses, bandwidth);
    addThroughSoftmax(answers, slopes, { numClasses, weight }, out);
    return loss + weight * value;
  };
}

/**
 * Squared maximum mean discrepancy (Gretton et al. 2012, the biased estimate, never negative) between the first and the second half
 * of rows, under the Gaussian kernel exp(-|a - b|^2 / (2 bandwidth^2)), and its derivative by every row.
 */
export function squaredDiscrepancy(
  rows: Float32Array,
  width: number,
  bandwidth: number,
): { readonly value: number; readonly slopes: Float64Array } {
  const count = rows.length / width;
  const slopes = new Float64Array(rows.length);
  const sharpness = 1 / (2 * bandwidth ** 2);
  // Of a row with itself the kernel is 1, which makes 2 / half in all.
  let value = 4 / count;
  for (let one = 0; one < count; one++)
    for (let other = 0; other < one; other++) {
      const sign = one < count / 2 === other < count / 2 ? 1 : -1;
      const [a, b] = [one * width, other * width];
      let squares = 0;
      for (let i = 0; i < width; i++) squares += ((rows[a + i] ?? 0) - (rows[b + i] ?? 0)) ** 2;
      const kernel = ((8 * sign) / count ** 2) * Math.exp(-sharpness * squares);
      value += kernel;
      for (let i = 0; i < width; i++) {
        const slope = -2 * sharpness * kernel * ((rows[a + i] ?? 0) - (rows[b + i] ?? 0));
        slopes[a + i] = (slopes[a + i] ?? 0) + slope;
        slopes[b + i] = (slopes[b + i] ?? 0) - slope;
      }
    }
  return { value, slopes };
}
