import {
  type Plan,
  participationRate,
  protocolVersion,
  releaseShape,
  type ScoreTask,
} from '../shared/protocol/plan.ts';
import type { RoundReport } from '../shared/protocol/report.ts';
import { RoundIndex } from '../shared/units.ts';
import { averaged } from './aggregate/averaging.ts';
import { type Clipping, clippingAfter, protectionAfter } from './aggregate/clip-norm.ts';
import { meanUpdate, publicDenominator } from './aggregate/mean.ts';
import { type Stepped, serverStep } from './aggregate/server-step.ts';
import { canaryScores } from './canaries.ts';
import { optimizerBytes, saveModel } from './checkpoint.ts';
import { selectCohort } from './cohort.ts';
import { type Answers, collectSignals, collectUpdates } from './collect.ts';
import { adaptiveClippingOf } from './config.ts';
import { observed } from './observations.ts';
import { reportRound } from './report-round.ts';
import { rollBacksAfter, settled } from './roll-back.ts';
import type { Model, RunContext, RunState } from './state.ts';

/** What a round leaves: the state that the next one starts from, and its report. */
export interface FinishedRound {
  readonly after: RunState;
  readonly report: RoundReport;
}

/**
 * One round, as the protocol has it (DESIGN section 2): select the cohort, publish the plan, collect the noised updates,
 * step the server, let the audit users score the new model, attack it, roll back if the policy says so, and commit round and report together. Returns the
 * state that the next round starts from, and the report.
 *
 * @throws ROUND_QUORUM_LOST when too few sites answer and the configuration does not repeat the round any further;
 * INTERRUPTED when the operator stops the run: nothing of the unfinished round is kept.
 */
export async function runRound(before: RunState, run: RunContext): Promise<FinishedRound> {
  const startedMs = run.now();
  const cohort = await run.store.begin(
    before.round,
    selectCohort(present(run), run.config.cohort.sites, roundRng(before, run)),
  );
  const answers = await collectUpdates(planOf(before, run), cohort, run);
  const stepped = step(before, answers, run);
  const model = saveModel(stepped.parameters, run);
  const average = averageAfter(before, model, run);
  const version = RoundIndex.parse(before.round + 1);
  const signals = await collectSignals(scoreTaskOf(version, average ?? model, run), run);
  const observations = observed(before.observations, signals, run.sites);
  const canaries = canaryScores(before, answers, run);
  const attacked: RunState = {
    round: version,
    model,
    average,
    optimizer: stepped.state,
    protection: protectionAfter(before.protection, stepped.clipping),
    participations: [...before.participations, answers.participation],
    observations,
    canaries: [...before.canaries, ...canaries],
    rollBacks: before.rollBacks,
  };
  const { report, scores } = await reportRound(attacked, signals, {
    run,
    clipping: stepped.clipping,
    noted: answers.noted,
    seconds: (run.now() - startedMs) / 1000,
  });
  const rollBacks = rollBacksAfter(before.rollBacks, report);
  const after = settled({ ...attacked, rollBacks }, report, run);
  await run.store.finish({ report, optimizer: optimizerBytes(after.optimizer), scores, canaries });
  run.desk.announce('report', report);
  run.observer.report(report);
  return { after, report };
}

/** The order of a round. It depends on nothing but the run and its state, so a repeated round repeats it to the byte. */
export function planOf(state: RunState, run: RunContext): Plan {
  const { config } = run;
  return {
    protocolVersion,
    run: run.run,
    round: state.round,
    rounds: config.rounds,
    model: modelOf(state.model, run),
    local: config.local,
    protection: state.protection,
    minSites: config.cohort.minSites,
    answerAfterMs: config.deadlines.answerAfterMs,
    deadlineMs: config.deadlines.roundMs,
  };
}

/** The order to score the audit users under a model version. */
export function scoreTaskOf(version: RoundIndex, model: RunState['model'], run: RunContext): ScoreTask {
  return { run: run.run, version, model: modelOf(model, run) };
}

function modelOf(model: RunState['model'], run: RunContext): Plan['model'] {
  return { spec: run.config.model, sha256: model.sha256, sizeBytes: model.sizeBytes };
}

/** The server's step, and what the count beside the updates says of the clip norm. */
function step(
  before: RunState,
  answers: Answers,
  run: RunContext,
): Stepped & { readonly clipping: Clipping | undefined } {
  const { parameters } = before.model;
  const { protection } = before;
  const { gridStep } = releaseShape(protection, parameters.length);
  const declared = answers.participation.answered.map((site) => run.sites.get(site)?.declaredUsers ?? 0);
  const mean = meanUpdate(answers.sum, gridStep, publicDenominator(participationRate(protection), declared));
  const update = mean.subarray(0, parameters.length);
  return {
    ...serverStep(run.config.server, before.optimizer, parameters, update),
    clipping: clippingAfter(protection, mean, adaptiveClippingOf(run.config)),
  };
}

/** The average with the round's model; undefined in a run that does not average. */
function averageAfter(before: RunState, { parameters }: Model, run: RunContext): Model | undefined {
  const { averaging } = run.config;
  if (!averaging) return undefined;
  const earlier = before.average ?? before.model;
  return saveModel(averaged(earlier.parameters, parameters, averaging, before.round + 1), run);
}

function present(run: RunContext): ReturnType<RunContext['desk']['connected']> {
  return run.desk.connected().filter((site) => run.sites.has(site));
}

function roundRng(state: RunState, run: RunContext): RunContext['rng'] {
  return run.rng.fork(`cohort/${state.round}`);
}
