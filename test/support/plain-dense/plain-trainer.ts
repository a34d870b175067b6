import { ParleyError } from '../../../shared/errors.ts';
import { denseStack } from '../../../shared/model/dense-layers.ts';
import type { LocalPlan, LocalTask, LocalTrainer } from '../../../shared/model/local-trainer.ts';
import { logitGradient } from '../../../shared/model/logit-gradient.ts';
import { type Objective, objectiveOf } from '../../../shared/model/objective.ts';
import type { ModelSpec } from '../../../shared/model/spec.ts';
import { forEachStep } from '../../../shared/model/steps.ts';
import { sumOverUsers, type TrainUser, userRng } from '../../../shared/model/user-loop.ts';
import type { Rng } from '../../../shared/random/rng.ts';
import { backward, descend, forward, multiplySlope } from './plain-kernels.ts';
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
      return sumOverUsers(task, spec, userTrainer(task, workspace));
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

function userTrainer(task: LocalTask, workspace: Workspace): TrainUser {
  const { shard, plan, round } = task;
  return (records, local) => {
    const rng = (): Rng => userRng(task, records.user);
    forEachStep({ numRecords: records.numRecords, plan, rng }, (epoch, rows) => {
      const step = stepRecords(shard, records, rows, workspace);
      propagate(workspace, local, step);
      differentiate(workspace, step, objectiveOf(plan.defence, round, epoch));
      update(workspace, local, step, plan);
    });
  };
}

function propagate(workspace: Workspace, local: Float32Array, step: StepRecords): void {
  const { numRecords } = step;
  for (const stage of workspace.stages) {
    forward(stage, local, { input: stage.below?.output ?? step.features, numRecords }, stage.output);
  }
}

/** Fill the output layer's gradient: the derivative of the objective by the logits. */
function differentiate(workspace: Workspace, step: StepRecords, objective: Objective): void {
  const { top, pairs, pairGradient } = workspace;
  const { labels, numRecords } = step;
  if (top.layer.units > 1) {
    const batch = { logits: top.output, labels, numRecords, numClasses: top.layer.units };
    logitGradient(batch, objective, top.gradient);
    return;
  }
  for (let row = 0; row < numRecords; row++) pairs[2 * row + 1] = top.output[row] ?? 0;
  logitGradient({ logits: pairs, labels, numRecords, numClasses: 2 }, objective, pairGradient);
  for (let row = 0; row < numRecords; row++) top.gradient[row] = pairGradient[2 * row + 1] ?? 0;
}

/** Backwards through the stack; a layer descends only after its weights have carried the derivative down. */
function update(workspace: Workspace, local: Float32Array, step: StepRecords, plan: LocalPlan): void {
  const { numRecords } = step;
  let stage: Stage | undefined = workspace.top;
  while (stage !== undefined) {
    const { layer, gradient }: Stage = stage;
    const below: Stage | undefined = stage.below;
    if (below !== undefined) {
      backward(layer, local, { gradient, numRecords }, below.gradient);
      multiplySlope(below.layer.activation, below.output, below.gradient, numRecords * below.layer.units);
    }
    descend(stage, local, { input: below?.output ?? step.features, gradient, numRecords }, plan);
    stage = below;
  }
}
