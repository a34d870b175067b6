import { ParleyError } from '../../../shared/errors.ts';
import { numOutputInputs } from '../../../shared/model/defence-fit.ts';
import { denseStack } from '../../../shared/model/dense-layers.ts';
import type { LocalPlan, LocalTask, LocalTrainer } from '../../../shared/model/local-trainer.ts';
import { logitGradient } from '../../../shared/model/logit-gradient.ts';
import { type Objective, objectiveOf } from '../../../shared/model/objective.ts';
import { type Perturb, perturber } from '../../../shared/model/perturbation.ts';
import { type ModelSpec, numClasses } from '../../../shared/model/spec.ts';
import { forEachStep } from '../../../shared/model/steps.ts';
import { sumOverUsers, type TrainUser, userRng } from '../../../shared/model/user-loop.ts';
import type { Rng } from '../../../shared/random/rng.ts';
import { backward, descend, forward, multiplyMask, multiplySlope } from './plain-kernels.ts';
import { makeWorkspace, type Stage, type StepRecords, stepRecords, type Workspace } from './workspace.ts';

/**
 * Local training of stacks of dense layers, one user after another, in plain TypeScript on flat float32 arrays: no
 * tensor library, no WebAssembly. It is the reference that the dense provider must equal where tfjs would take too long.
 *
 * @throws MODEL_INVALID when the model is not a stack of dense layers.
 */
export function plainTrainer(spec: ModelSpec): LocalTrainer {
  const stack = denseStack(spec);
  if (stack.type === 'other') {
    throw new ParleyError(
      'MODEL_INVALID',
      `model: the dense provider trains stacks of dense layers, but ${stack.reason}; use the general provider`,
    );
  }
  return {
    provider: 'dense',
    description: 'plain TypeScript, one user after another',
    clippedSum: (task) => {
      const workspace = makeWorkspace(stack.hidden, stack.output, largestStep(task));
      return sumOverUsers(task, spec, userTrainer(task, spec, workspace));
    },
  };
}

/** Most records that any step of a task takes. */
function largestStep({ shard, users, plan }: LocalTask): number {
  let most = 0;
  for (const user of users) {
    most = Math.max(most, (shard.userOffsets[user + 1] ?? 0) - (shard.userOffsets[user] ?? 0));
  }
  const size = plan.batchSize === 'all' ? most : plan.batchSize;
  return Math.min(most, size, plan.maxRecordsPerUser);
}

function userTrainer(task: LocalTask, spec: ModelSpec, workspace: Workspace): TrainUser {
  const { shard, plan, round } = task;
  return (records, local) => {
    const rng = (): Rng => userRng(task, records.user);
    const perturb = perturber(plan.defence, numOutputInputs(spec), rng);
    forEachStep({ numRecords: records.numRecords, plan, rng }, (epoch, rows) => {
      const plain = stepRecords(shard, records, rows, workspace);
      const step = perturb ? perturbed(plain, perturb, shard.numFeatures) : plain;
      propagate(workspace, local, step);
      differentiate(
        workspace,
        step,
        objectiveOf(plan.defence, { round, epoch, numClasses: numClasses(spec) }),
      );
      update(workspace, local, step, plan);
      task.mask?.flags.forEach((flag, i) => {
        if (flag === 0) local[i] = task.parameters[i] ?? 0;
      });
    });
  };
}

function perturbed(step: StepRecords, perturb: Perturb, numFeatures: number): StepRecords {
  const { numRecords } = step;
  const features = step.features.slice(0, numRecords * numFeatures);
  return { ...perturb({ features, labels: step.labels.slice(0, numRecords) }), numRecords };
}

function propagate(workspace: Workspace, local: Float32Array, step: StepRecords): void {
  const { numRecords } = step;
  for (const stage of workspace.stages) {
    forward(stage, local, { input: inputOf(stage, workspace, step), numRecords }, stage.output);
  }
}

/** What enters a layer; the output layer's is noised, and dropped where a mask says so. */
function inputOf(stage: Stage, { top }: Workspace, step: StepRecords): Float32Array {
  const input = stage.below?.output ?? step.features;
  if (stage !== top) return input;
  const noised = step.noise ? step.noise.map((noise, i) => noise + (input[i] ?? 0)) : input;
  return step.mask ? multiplyMask(noised, step.mask) : noised;
}

/** Fill the output layer's gradient: the derivative of the objective by the logits. */
function differentiate(workspace: Workspace, step: StepRecords, objective: Objective): void {
  const { top, pairs, pairGradient } = workspace;
  const { labels, numRecords, mixed } = step;
  if (top.layer.units > 1) {
    const batch = { logits: top.output, labels, numRecords, numClasses: top.layer.units, mixed };
    logitGradient(batch, objective, top.gradient);
    return;
  }
  for (let row = 0; row < numRecords; row++) pairs[2 * row + 1] = top.output[row] ?? 0;
  logitGradient({ logits: pairs, labels, numRecords, numClasses: 2, mixed }, objective, pairGradient);
  for (let row = 0; row < numRecords; row++) top.gradient[row] = pairGradient[2 * row + 1] ?? 0;
}

/** Backwards through the stack; a layer descends only after its weights have carried the derivative down. */
function update(workspace: Workspace, local: Float32Array, step: StepRecords, plan: LocalPlan): void {
  const { numRecords } = step;
  let stage: Stage | undefined = workspace.top;
  while (stage !== undefined) {
    const { layer, gradient }: Stage = stage;
    const below: Stage | undefined = stage.below;
    const input = inputOf(stage, workspace, step);
    if (below !== undefined) {
      backward(layer, local, { gradient, numRecords }, below.gradient);
      if (stage === workspace.top && step.mask) below.gradient.set(multiplyMask(below.gradient, step.mask));
      multiplySlope(below.layer.activation, below.output, below.gradient, numRecords * below.layer.units);
    }
    descend(stage, local, { input, gradient, numRecords }, plan);
    stage = below;
  }
}
