import { setImmediate } from 'node:timers/promises';
import { ParleyError } from '../errors.ts';
import { denseStack } from './dense-layers.ts';
import { denseLogits } from './dense-logits.ts';
import { numFeatures, numParams } from './layout.ts';
import { signalsOf } from './record-signals.ts';
import type { RecordSignals } from './signals.ts';
import { type ModelSpec, numClasses } from './spec.ts';
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
  checkRecords(spec, parameters, records);
  const { features, labels } = records;
  const width = numFeatures(spec);
  const classes = numClasses(spec);
  const values = new Float64Array(labels.length * classes);
  const source = await logitSource(spec, parameters);
  try {
    for (let start = 0; start < labels.length; start += batchRecords) {
      const logits = source.run(features.subarray(start * width, (start + batchRecords) * width));
      if (spec.output.type === 'softmax') values.set(logits, start * classes);
      else for (const [row, logit] of logits.entries()) values[2 * (start + row) + 1] = logit;
      await setImmediate();
    }
  } finally {
    source.dispose();
  }
  return signalsOf({ values, numClasses: classes }, labels);
}

interface LogitSource {
  run(features: Float32Array): Float32Array | Float64Array;
  dispose(): void;
}

async function logitSource(spec: ModelSpec, parameters: Float32Array): Promise<LogitSource> {
  const stack = denseStack(spec);
  if (stack.type === 'dense') {
    return {
      run: (features) => denseLogits(stack, parameters, features),
      dispose: () => undefined,
    };
  }
  const [{ loadBackend }, { tensorLogits }] = await Promise.all([
    import('./backend.ts'),
    import('./tensor-logits.ts'),
  ]);
  return tensorLogits(spec, parameters, await loadBackend('auto'));
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
