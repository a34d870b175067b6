import { setImmediate } from 'node:timers/promises';
import { ParleyError } from '../errors.ts';
import type { Outputs } from './dense-logits.ts';
import { embeddingSignals, type UserRecordSets } from './embedding-signals.ts';
import { numFeatures, numParams } from './layout.ts';
import { addLogits, outputSource } from './output-source.ts';
import { signalsOf } from './record-signals.ts';
import type { RecordSignals, Signals } from './signals.ts';
import { hasHiddenLayer, type ModelSpec, numClasses } from './spec.ts';
import { firstUnusable } from './usable-features.ts';

/** Records to be looked at under a model. */
export interface LabelledRecords {
  /** Shape (numRecords, numFeatures), row-major. */
  readonly features: Float32Array;
  /** Shape (numRecords,), class indices. */
  readonly labels: Int32Array;
}

const batchRecords = 256;

/**
 * What an attacker observes of each record under the model `parameters`, shape (numParams,); in batches that let other
 * work pass in between. Stacks of dense layers are computed in float64, other models by tfjs in float32 logits.
 *
 * @throws WRONG_SHAPE when parameters, features and labels do not fit together, DATA_VALUE_INVALID for a feature or label
 * that the model cannot take, MODEL_INVALID as `layoutOf`.
 */
export async function recordSignals(
  spec: ModelSpec,
  parameters: Float32Array,
  records: LabelledRecords,
): Promise<RecordSignals> {
  const classes = numClasses(spec);
  const values = new Float64Array(records.labels.length * classes);
  await outputsOf(spec, parameters, records, ({ logits }, start) => {
    addLogits(spec, values, logits, start);
  });
  return signalsOf({ values, numClasses: classes }, records.labels);
}

/** Audit users' records, and how they are grouped. */
export type AuditedRecords = LabelledRecords & UserRecordSets;

/**
 * All that a site sends of its audit users under a model: the signals of every record, and of every user how the records lie
 * in the embedding where the model has a hidden layer. Holds one float32 embedding for each record meanwhile.
 *
 * @throws as {@link recordSignals}.
 */
export async function auditSignals(
  spec: ModelSpec,
  parameters: Float32Array,
  records: AuditedRecords,
): Promise<Signals> {
  if (!hasHiddenLayer(spec)) return recordSignals(spec, parameters, records);
  const classes = numClasses(spec);
  const numRecords = records.labels.length;
  const values = new Float64Array(numRecords * classes);
  let embeddings = new Float32Array(0);
  let width = 0;
  await outputsOf(spec, parameters, records, ({ logits, embedding }, start) => {
    addLogits(spec, values, logits, start);
    if (start === 0) {
      width = embedding.length / Math.min(batchRecords, numRecords);
      embeddings = new Float32Array(numRecords * width);
    }
    embeddings.set(embedding, start * width);
  });
  const embedding = await embeddingSignals({ values: embeddings, width }, records);
  return { ...signalsOf({ values, numClasses: classes }, records.labels), embedding };
}

type TakeOutputs = (outputs: Outputs, start: number) => void;

/** Runs the model over all records, batch by batch; `take` gets the outputs from record `start` on. */
async function outputsOf(
  spec: ModelSpec,
  parameters: Float32Array,
  records: LabelledRecords,
  take: TakeOutputs,
): Promise<void> {
  checkRecords(spec, parameters, records);
  const { features, labels } = records;
  const width = numFeatures(spec);
  const source = await outputSource(spec, parameters);
  try {
    for (let start = 0; start < labels.length; start += batchRecords) {
      take(source.run(features.subarray(start * width, (start + batchRecords) * width)), start);
      await setImmediate();
    }
  } finally {
    source.dispose();
  }
}

function checkRecords(spec: ModelSpec, parameters: Float32Array, records: LabelledRecords): void {
  const { features, labels } = records;
  requireLength('parameters', parameters.length, numParams(spec));
  requireLength('feature values', features.length, labels.length * numFeatures(spec));
  const feature = firstUnusable(spec, features);
  if (feature >= 0) {
    const record = Math.floor(feature / numFeatures(spec));
    const column = feature % numFeatures(spec);
    throw new ParleyError(
      'DATA_VALUE_INVALID',
      `record ${record}, feature ${column}: the model cannot take ${features[feature] ?? NaN}`,
    );
  }
  const record = labels.findIndex((label) => label < 0 || label >= numClasses(spec));
  if (record >= 0) {
    throw new ParleyError(
      'DATA_VALUE_INVALID',
      `record ${record}: label ${labels[record] ?? NaN}; expected 0 to ${numClasses(spec) - 1}`,
    );
  }
}

function requireLength(what: string, got: number, expected: number): void {
  if (got === expected) return;
  throw new ParleyError('WRONG_SHAPE', `evaluation: ${got} ${what}, expected ${expected}`);
}
