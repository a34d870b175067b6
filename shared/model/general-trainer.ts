import type { Tensor } from '@tensorflow/tfjs';
import type { Shard } from '../data/shard.ts';
import type { Rng } from '../random/rng.ts';
import { type Backend, selectBackend, type Tf } from './backend.ts';
import { type BuiltModel, buildModel } from './build.ts';
import { numFeatures } from './layout.ts';
import type { LocalPlan, LocalTask, LocalTrainer } from './local-trainer.ts';
import { logitPairs, objectiveValue } from './losses.ts';
import { type Objective, objectiveOf } from './objective.ts';
import { assignParameters, parameterTensors, readParameters } from './parameters.ts';
import { type ModelSpec, numClasses } from './spec.ts';
import { forEachStep } from './steps.ts';
import { firstUnusable } from './usable-features.ts';
import { checkTask, sumOverUsers, type TrainUser, type UserRecords, userRng } from './user-loop.ts';

/**
 * Local training of any model by tfjs, one user after another, with its own loop over epochs. The model lives as long as
 * the trainer; a task leaves no tensor behind. A user with a feature that the model cannot take (non-finite, or
 * a token outside the vocabulary) counts as non-finite and contributes zero.
 *
 * @throws MODEL_INVALID as `layoutOf`.
 */
export function generalTrainer(options: {
  readonly spec: ModelSpec;
  readonly backend: Backend;
}): LocalTrainer {
  const { spec, backend } = options;
  selectBackend(backend);
  const engine = { backend, spec, built: buildModel(backend.tf, spec) };
  return {
    provider: 'general',
    description: backend.description,
    clippedSum: async (task) => {
      checkTask(task, spec);
      selectBackend(backend);
      const received = parameterTensors(backend.tf, engine.built, task.parameters);
      try {
        return await sumOverUsers(task, spec, userTrainer(engine, task, received));
      } finally {
        backend.tf.dispose(received);
      }
    },
  };
}

interface Engine {
  readonly backend: Backend;
  readonly spec: ModelSpec;
  readonly built: BuiltModel;
}

function userTrainer(engine: Engine, task: LocalTask, received: readonly Tensor[]): TrainUser {
  const { backend, spec, built } = engine;
  const { tf } = backend;
  const { shard, plan, round } = task;
  return (records, local) => {
    const user = recordsOf(shard, records);
    if (firstUnusable(spec, user.features) >= 0) {
      local.fill(NaN);
      return;
    }
    selectBackend(backend);
    const rng = (): Rng => userRng(task, records.user);
    tf.tidy(() => {
      assignParameters(built, received);
      forEachStep({ numRecords: records.numRecords, plan, rng }, (epoch, rows) => {
        const step = rows === 'all' ? user : pickRows(user, rows, shard.numFeatures);
        trainStep(engine, step, plan, objectiveOf(plan.defence, round, epoch));
      });
      readParameters(built, local);
    });
  };
}

interface Records {
  /** Shape (numRecords, numFeatures). */
  readonly features: Float32Array;
  /** Shape (numRecords,). */
  readonly labels: Int32Array;
}

function recordsOf({ features, labels, numFeatures }: Shard, { start, numRecords }: UserRecords): Records {
  const end = start + numRecords;
  return {
    features: features.subarray(start * numFeatures, end * numFeatures),
    labels: labels.subarray(start, end),
  };
}

function pickRows({ features, labels }: Records, rows: Int32Array, numFeatures: number): Records {
  const picked = new Float32Array(rows.length * numFeatures);
  for (const [position, row] of rows.entries()) {
    picked.set(features.subarray(row * numFeatures, (row + 1) * numFeatures), position * numFeatures);
  }
  return { features: picked, labels: rows.map((row) => labels[row] ?? 0) };
}

/** One plain SGD step. The optimisers of tfjs cost more than small steps compute. */
function trainStep(engine: Engine, records: Records, plan: LocalPlan, objective: Objective): void {
  const { backend, spec, built } = engine;
  const { tf } = backend;
  const { learningRate, l2 } = plan;
  tf.tidy(() => {
    const features = tf.tensor(records.features, [records.labels.length, numFeatures(spec)]);
    const labels = oneHot(tf, records.labels, numClasses(spec));
    const { grads } = tf.variableGrads(() => {
      const output = built.forward(features);
      const logits = spec.output.type === 'sigmoid' ? logitPairs(tf, output) : output;
      return objectiveValue(tf, { logits, labels }, objective);
    }, [...built.variables]);
    for (const variable of built.variables) {
      const derivative = grads[variable.name];
      if (derivative === undefined) continue;
      const kept = l2 > 0 ? tf.mul(variable, 1 - learningRate * l2) : variable;
      variable.assign(tf.sub(kept, tf.mul(derivative, learningRate)));
    }
  });
}

function oneHot(tf: Tf, labels: Int32Array, classes: number): Tensor {
  const values = new Float32Array(labels.length * classes);
  for (const [row, label] of labels.entries()) values[row * classes + label] = 1;
  return tf.tensor(values, [labels.length, classes]);
}
