import type { Shard } from '../../../shared/data/shard.ts';
import type { DenseLayer } from '../../../shared/model/dense-layers.ts';
import type { Mixed } from '../../../shared/model/logit-batch.ts';
import type { StepRows } from '../../../shared/model/steps.ts';
import type { UserRecords } from '../../../shared/model/user-loop.ts';
import { type DenseKernel, makeRowTerms } from './plain-kernels.ts';

/** One layer with room for one step: its output and the derivative at its pre-activations, shape (numRecords, units). */
export interface Stage extends DenseKernel {
  readonly output: Float32Array;
  readonly gradient: Float32Array;
  /** The layer that feeds this one; none under the first, which reads the features. */
  readonly below: Stage | undefined;
}

/** Everything that local steps write to, made once for a task. */
export interface Workspace {
  /** From the first layer to the output. */
  readonly stages: readonly Stage[];
  /** The output layer's stage. */
  readonly top: Stage;
  /** Logit pairs (0, z) of a sigmoid output and the derivative by them, shape (numRecords, 2). */
  readonly pairs: Float32Array;
  readonly pairGradient: Float32Array;
  /** Room for the features and labels of shuffled records. */
  readonly features: Float32Array;
  readonly labels: Int32Array;
}

/** The features and labels of one step; arrays may be longer than `numRecords` asks for. */
export interface StepRecords {
  readonly features: Float32Array;
  readonly labels: Int32Array;
  readonly numRecords: number;
  readonly mixed?: Mixed | undefined;
  /** Factors for the output layer's input, shape (numRecords, its inputs). */
  readonly mask?: Float32Array | undefined;
  /** Added to the output layer's input before that, the same shape. */
  readonly noise?: Float32Array | undefined;
}

/** Room for steps of up to `maxRecords` records. */
export function makeWorkspace(
  hidden: readonly DenseLayer[],
  output: DenseLayer,
  maxRecords: number,
): Workspace {
  const stages: Stage[] = [];
  for (const layer of hidden) stages.push(makeStage(layer, stages.at(-1), maxRecords));
  const top = makeStage(output, stages.at(-1), maxRecords);
  stages.push(top);
  const inputs = hidden.at(0)?.inputs ?? output.inputs;
  return {
    stages,
    top,
    pairs: new Float32Array(2 * maxRecords),
    pairGradient: new Float32Array(2 * maxRecords),
    features: new Float32Array(maxRecords * inputs),
    labels: new Int32Array(maxRecords),
  };
}

function makeStage(layer: DenseLayer, below: Stage | undefined, maxRecords: number): Stage {
  const size = maxRecords * layer.units;
  return {
    layer,
    terms: makeRowTerms(Math.max(layer.inputs, maxRecords)),
    output: new Float32Array(size),
    gradient: new Float32Array(size),
    below,
  };
}

/** The records of one step: a view on the shard for all of a user's records, else copies in the workspace. */
export function stepRecords(
  shard: Shard,
  records: UserRecords,
  rows: StepRows,
  workspace: Workspace,
): StepRecords {
  const { numFeatures } = shard;
  const { start, numRecords } = records;
  if (rows === 'all') {
    return {
      features: shard.features.subarray(start * numFeatures, (start + numRecords) * numFeatures),
      labels: shard.labels.subarray(start, start + numRecords),
      numRecords,
    };
  }
  const { features, labels } = workspace;
  for (const [position, row] of rows.entries()) {
    const from = (start + row) * numFeatures;
    features.set(shard.features.subarray(from, from + numFeatures), position * numFeatures);
    labels[position] = shard.labels[start + row] ?? 0;
  }
  return { features, labels, numRecords: rows.length };
}
