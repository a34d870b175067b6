import type { Rng } from '../../random/rng.ts';
import type { Objective } from '../objective.ts';
import { pickLabels, pickRows } from '../pick-rows.ts';
import { type Descent, descend } from './descend.ts';
import type { SiloRecords } from './records.ts';
import { distillationSlope, labelSlope, probabilities } from './slopes.ts';

/** What all silo-level defences share in a round. */
export interface SiloRound {
  readonly descent: Descent;
  /** Shape (numParams,). */
  readonly received: Float32Array;
  /** Passes over records with labels. */
  readonly epochs: number;
  readonly numClasses: number;
  readonly numFeatures: number;
  /** What is descended on labels. */
  readonly objective: Objective;
  readonly rng: Rng;
}

/** What teaching a student takes of a round. */
export type Teaching = Pick<SiloRound, 'descent' | 'received' | 'numClasses' | 'numFeatures' | 'rng'>;

/** Descend a model on the labels of some of the records. */
export function onLabels(
  { descent, epochs, numClasses, numFeatures, objective }: SiloRound,
  { features, labels }: Pick<SiloRecords, 'features' | 'labels'>,
  { start, rows, rng }: { readonly start: Float32Array; readonly rows: Int32Array; readonly rng: Rng },
): Promise<Float32Array> {
  const own = pickLabels(labels, rows);
  return descend(descent, start, {
    features: pickRows(features, rows, numFeatures),
    numRecords: rows.length,
    epochs,
    slopeOf: (step) => labelSlope(pickLabels(own, step), numClasses, objective),
    rng,
  });
}

/** Softened answers that a student is to learn. */
export interface Lesson {
  /** Shape (numRecords, numFeatures). */
  readonly features: Float32Array;
  /** Shape (numRecords, numClasses), probabilities. */
  readonly targets: Float32Array;
  readonly temperature: number;
  readonly epochs: number;
}

/** A student that starts from the received parameters and sees answers, no labels. */
export function student(
  { descent, received, numClasses, rng }: Omit<Teaching, 'numFeatures'>,
  { features, targets, temperature, epochs }: Lesson,
): Promise<Float32Array> {
  return descend(descent, received, {
    features,
    numRecords: targets.length / numClasses,
    epochs,
    slopeOf: (rows) => distillationSlope(pickRows(targets, rows, numClasses), numClasses, temperature),
    rng: rng.fork('student'),
  });
}

/** What a model answers, shape (numRecords, numClasses), in pieces that let other work pass. */
export async function answersOf(
  { descent: { engine, pause }, numClasses, numFeatures }: Omit<Teaching, 'received' | 'rng'>,
  parameters: Float32Array,
  { features, temperature = 1 }: { readonly features: Float32Array; readonly temperature?: number },
): Promise<Float32Array> {
  const numRecords = features.length / numFeatures;
  const answers = new Float32Array(numRecords * numClasses);
  for (let start = 0; start < numRecords; start += batchRecords) {
    const batch = features.subarray(start * numFeatures, (start + batchRecords) * numFeatures);
    const logits = engine.logits({ parameters, features: batch });
    answers.set(probabilities(logits, numClasses, temperature), start * numClasses);
    await pause();
  }
  return answers;
}

const batchRecords = 256;
