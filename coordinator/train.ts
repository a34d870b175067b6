import { spread } from '../shared/model/mask.ts';
import { participationRate, releaseShape } from '../shared/protocol/plan.ts';
import { averaged } from './aggregate/averaging.ts';
import { type Clipping, clippingAfter } from './aggregate/clip-norm.ts';
import { meanUpdate, publicDenominator } from './aggregate/mean.ts';
import { serverStep } from './aggregate/server-step.ts';
import { saveModel } from './checkpoint.ts';
import type { Answers } from './collect.ts';
import { adaptiveClippingOf } from './config.ts';
import { type Model, numReleased, type RunContext, type RunState, type Trained } from './state.ts';

/** What a round's answers made of the model, stored, and what the count beside them says of the clip norm. */
export interface ServerStep {
  readonly trained: Trained;
  readonly clipping: Clipping | undefined;
}

/** The server's step: the mean update by the public denominator, the optimizer, and the average or the student where the run hands over one. */
export async function train(before: RunState, answers: Answers, run: RunContext): Promise<ServerStep> {
  const { protection, optimizer, mask } = before;
  const { parameters } = before.model;
  const numParams = numReleased(before);
  const { gridStep } = releaseShape(protection, numParams);
  const declared = answers.participation.answered.map((site) => run.sites.get(site)?.declaredUsers ?? 0);
  const mean = meanUpdate(answers.sum, gridStep, publicDenominator(participationRate(protection), declared));
  const update = spread(mean.subarray(0, numParams), mask?.mask);
  const stepped = serverStep(run.config.server, optimizer, parameters, update);
  const model = saveModel(stepped.parameters, run);
  return {
    trained: { model, handedOver: await handedOverAfter(before, model, run), optimizer: stepped.state, mask },
    clipping: clippingAfter(protection, mean, adaptiveClippingOf(run.config)),
  };
}

/** The average with the round's model, or the student that it taught; undefined in a run that hands over the model itself. */
async function handedOverAfter(before: RunState, model: Model, run: RunContext): Promise<Model | undefined> {
  const { averaging } = run.config;
  const { parameters: earlier } = before.handedOver ?? before.model;
  if (averaging) return saveModel(averaged(earlier, model.parameters, averaging, before.round + 1), run);
  if (run.distiller) return saveModel(await run.distiller.student(model, earlier, before.mask), run);
  return undefined;
}
