import { type Plan, protocolVersion, type ScoreTask } from '../shared/protocol/plan.ts';
import type { RoundIndex } from '../shared/units.ts';
import type { RunContext, RunState } from './state.ts';

/** The order of a round. It depends on nothing but the run and its state, so a repeated round repeats it to the byte. */
export function planOf(state: RunState, run: RunContext): Plan {
  const { config } = run;
  return {
    protocolVersion,
    run: run.run,
    round: state.round,
    rounds: config.rounds,
    model: modelOf(state.model, run),
    ...(state.mask && { mask: plannedMask(state.mask) }),
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

function plannedMask({ mask, sha256, sizeBytes }: NonNullable<RunState['mask']>): NonNullable<Plan['mask']> {
  return { sha256, sizeBytes, kept: mask.kept };
}
