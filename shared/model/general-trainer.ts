import type { Tensor } from '@tensorflow/tfjs';
import type { Rng } from '../random/rng.ts';
import { type Backend, selectBackend, type Tf } from './backend.ts';
import { type BuiltModel, buildModel } from './build.ts';
import { assertDefenceFits, numOutputInputs } from './defence-fit.ts';
import { numFeatures } from './layout.ts';
import type { LocalPlan, LocalTask, LocalTrainer } from './local-trainer.ts';
import type { Mixed } from './logit-batch.ts';
import { logitPairs, objectiveValue } from './losses.ts';
import { type Objective, objectiveOf } from './objective.ts';
import { assignParameters, flagTensors, parameterTensors, readParameters } from './parameters.ts';
import { type PerturbedStep, perturber } from './perturbation.ts';
import { type ModelSpec, numClasses } from './spec.ts';
import { recordsFrom, stepRecords } from './step-records.ts';
import { forEachStep } from './steps.ts';
import { firstUnusable } from './usable-features.ts';
import { checkTask, sumOverUsers, type TrainUser, userRng } from './user-loop.ts';

/**
 * Local training of any model by tfjs, one user after another, with its own loop over epochs. The model lives as long as
 * the trainer; a task leaves no tensor behind. A user with a feature that the model cannot take (non-finite, or
 * a token outside the vocabulary) counts as non-finite and contributes zero.
 *
 * @throws MODEL_INVALID as `layoutOf`; a task also when its defence does not fit the model.
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
      assertDefenceFits(spec, task.plan.defence);
      selectBackend(backend);
      const received = parameterTensors(backend.tf, engine.built, task.parameters);
      const kept = task.mask && flagTensors(backend.tf, engine.built, task.mask);
      try {
        return await sumOverUsers(task, spec, userTrainer(engine, task, { received, kept }));
      } finally {
        backend.tf.dispose([...received, ...(kept ?? [])]);
      }
    },
  };
}

interface LabelledStep {
  readonly labels: Int32Array;
  readonly mixed: Mixed | undefined;
}

/** What all users of a task share. */
interface Shared {
  readonly received: readonly Tensor[];
  /** What of each weight is kept; everything when undefined. */
  readonly kept: readonly Tensor[] | undefined;
}

interface Engine {
  readonly backend: Backend;
  readonly spec: ModelSpec;
  readonly built: BuiltModel;
}

function userTrainer(engine: Engine, task: LocalTask, { received, kept }: Shared): TrainUser {
  const { backend, spec, built } = engine;
  const { tf } = backend;
  const { shard, plan, round } = task;
  return (records, local) => {
    const user = recordsFrom(shard, records);
    if (firstUnusable(spec, user.features) >= 0) {
      local.fill(NaN);
      return;
    }
    selectBackend(backend);
    const rng = (): Rng => userRng(task, records.user);
    const perturb = perturber(plan.defence, numOutputInputs(spec), rng);
    tf.tidy(() => {
      assignParameters(built, received);
      forEachStep({ numRecords: records.numRecords, plan, rng }, (epoch, rows) => {
        const step = stepRecords(user, rows, shard.numFeatures);
        const objective = objectiveOf(plan.defence, { round, epoch, numClasses: numClasses(spec) });
        const changed = perturb?.(step) ?? { ...step, ...unchanged };
        trainStep(engine, { ...changed, kept }, plan, objective);
      });
      readParameters(built, local);
    });
  };
}

const unchanged = { mixed: undefined, mask: undefined, noise: undefined };

/** One plain SGD step. The optimisers of tfjs cost more than small steps compute. */
function trainStep(
  engine: Engine,
  step: PerturbedStep & Pick<Shared, 'kept'>,
  plan: LocalPlan,
  objective: Objective,
): void {
  const { backend, spec, built } = engine;
  const { tf } = backend;
  const { learningRate, l2 } = plan;
  tf.tidy(() => {
    const features = tf.tensor(step.features, [step.labels.length, numFeatures(spec)]);
    const labels = labelRows(tf, step, numClasses(spec));
    const shape: [number, number] = [step.labels.length, numOutputInputs(spec)];
    const mask = step.mask && tf.tensor(step.mask, shape);
    const noise = step.noise && tf.tensor(step.noise, shape);
    const { grads } = tf.variableGrads(() => {
      const embedding = built.embed(features);
      const noised = noise ? tf.add(embedding, noise) : embedding;
      const output = built.classify(mask ? tf.mul(noised, mask) : noised);
      const logits = spec.output.type === 'sigmoid' ? logitPairs(tf, output) : output;
      return objectiveValue(tf, { logits, labels }, objective);
    }, [...built.variables]);
    for (const [index, variable] of built.variables.entries()) {
      const derivative = grads[variable.name];
      if (derivative === undefined) continue;
      const decayed = l2 > 0 ? tf.mul(variable, 1 - learningRate * l2) : variable;
      const moved = tf.sub(decayed, tf.mul(derivative, learningRate));
      const flags = step.kept?.[index];
      variable.assign(flags ? tf.where(flags, moved, variable) : moved);
    }
  });
}

/** One-hot, or mixtures of two of them. */
function labelRows(tf: Tf, { labels, mixed }: LabelledStep, classes: number): Tensor {
  const values = new Float32Array(labels.length * classes);
  const add = (at: number, share: number): void => {
    values[at] = (values[at] ?? 0) + share;
  };
  const share = mixed?.share ?? 1;
  for (const [row, label] of labels.entries()) {
    add(row * classes + label, share);
    if (mixed) add(row * classes + (mixed.partners[row] ?? label), 1 - share);
  }
  return tf.tensor(values, [labels.length, classes]);
}
