import type { Rng } from '../../random/rng.ts';
import { uniformBelow } from '../../random/sample.ts';
import { pickLabels, pickRows } from '../pick-rows.ts';
import type { BothSides } from './adversarial.ts';
import { applyStep, stepsOf } from './descend.ts';
import { medianDistance, squaredDiscrepancy } from './discrepancy.ts';
import type { DerivativeOptions, Slope } from './engine.ts';
import type { SiloRound } from './labelled.ts';
import type { SiloDefence } from './silo-defence.ts';
import { addThroughSoftmax, labelSlope, probabilities } from './slopes.ts';

type Alignment = Extract<SiloDefence, { type: 'alignment' }>;
type RepresentationAlignment = Extract<SiloDefence, { type: 'representation-alignment' }>;

/**
 * Answers to the drawn users' records are pulled towards answers to reference records of the same classes (after Li, Li and
 * Ribeiro, CODASPY 2021): each step descends the loss on labels plus `weight` times the squared maximum mean discrepancy of the
 * two sets of answers. Both sets move: the derivative goes through the model for records of either side.
 */
export function alignment(round: SiloRound, sides: BothSides, settings: Alignment): Promise<Float32Array> {
  return aligned(round, sides, (labels) => ({ byLogits: alignmentSlope(round, labels, settings) }));
}

/**
 * The same with representations, the inputs of the output layer, in the place of answers (after the deep adaptation networks of Long
 * et al., ICML 2015, with one layer and one kernel). The model needs a layer below that can move them.
 */
export function representationAlignment(
  round: SiloRound,
  sides: BothSides,
  settings: RepresentationAlignment,
): Promise<Float32Array> {
  return aligned(round, sides, (labels) => ({
    byLogits: firstHalfSlope(round, labels),
    byRepresentations: representationSlope(2 * labels.length, settings),
  }));
}

/** What a step descends, whose rows are the drawn users' and then as many counterparts. */
interface StepSlopes extends Pick<DerivativeOptions, 'byRepresentations'> {
  readonly byLogits: Slope;
}

async function aligned(
  round: SiloRound,
  { records, reference }: BothSides,
  ofStep: (labels: Int32Array) => StepSlopes,
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
    const { byLogits, byRepresentations } = ofStep(labels);
    engine.derivative({ parameters, features }, byLogits, derivative, { byRepresentations });
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
  round: Pick<SiloRound, 'numClasses' | 'objective'>,
  labels: Int32Array,
  { weight, bandwidth }: Pick<Alignment, 'weight' | 'bandwidth'>,
): Slope {
  const { numClasses } = round;
  const ofLabels = firstHalfSlope(round, labels);
  return (logits, out) => {
    const loss = ofLabels(logits, out);
    const answers = probabilities(logits, numClasses);
    const { value, slopes } = squaredDiscrepancy(answers, numClasses, bandwidth);
    addThroughSoftmax(answers, slopes, { numClasses, weight }, out);
    return loss + weight * value;
  };
}

/** The loss on labels, which only the first half of a step's rows have. */
function firstHalfSlope(
  { numClasses, objective }: Pick<SiloRound, 'numClasses' | 'objective'>,
  labels: Int32Array,
): Slope {
  const ofLabels = labelSlope(labels, numClasses, objective);
  return (logits, out) => {
    const half = labels.length * numClasses;
    out.fill(0, half);
    return ofLabels(logits.subarray(0, half), out.subarray(0, half));
  };
}

/**
 * `weight` times the squared discrepancy between both halves of `numRows` representations. A median bandwidth is that of these very
 * rows, and a constant to the derivative.
 */
export function representationSlope(
  numRows: number,
  { weight, bandwidth }: Pick<RepresentationAlignment, 'weight' | 'bandwidth'>,
): Slope {
  return (representations, out) => {
    const width = representations.length / numRows;
    const used = bandwidth === 'median' ? medianDistance(representations, width) : bandwidth;
    const { value, slopes } = squaredDiscrepancy(representations, width, used);
    for (let i = 0; i < out.length; i++) out[i] = weight * (slopes[i] ?? 0);
    return weight * value;
  };
}
