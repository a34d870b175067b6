import type { RoundReport } from '../shared/protocol/report.ts';
import { RoundIndex } from '../shared/units.ts';
import { protectionAfter } from './aggregate/clip-norm.ts';
import { announceReport } from './announce-report.ts';
import { canaryScores } from './canaries.ts';
import { optimizerBytes } from './checkpoint.ts';
import { selectCohort } from './cohort.ts';
import { collectSignals, collectUpdates } from './collect.ts';
import { observed } from './observations.ts';
import { planOf, scoreTaskOf } from './orders.ts';
import { prune, pruningReport } from './pruning.ts';
import { reportRound } from './report-round.ts';
import { rollBacksAfter, settled } from './roll-back.ts';
import type { RunContext, RunState } from './state.ts';
import { train } from './train.ts';

/** What a round leaves: the state that the next one starts from, and its report. */
export interface FinishedRound {
  readonly after: RunState;
  readonly report: RoundReport;
}

/**
 * One round, as the protocol has it (DESIGN section 2): select the cohort, publish the plan, collect the noised updates,
 * step the server, prune where the schedule says so, let the audit users score the new model, attack it, roll back if the policy says
 * so, and commit round and report together. Returns the state that the next round starts from, and the report.
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
  const answers = await collectUpdates(planOf(before, run), cohort, run, before.mask?.mask);
  const { trained: unpruned, clipping } = await train(before, answers, run);
  const { trained, step } = await prune(unpruned, before.round, run);
  const version = RoundIndex.parse(before.round + 1);
  const signals = await collectSignals(scoreTaskOf(version, trained.handedOver ?? trained.model, run), run);
  const observations = observed(before.observations, signals, run.sites);
  const canaries = canaryScores(before, answers, run);
  const attacked: RunState = {
    ...trained,
    round: version,
    protection: protectionAfter(before.protection, clipping),
    participations: [...before.participations, answers.participation],
    observations,
    canaries: [...before.canaries, ...canaries],
    rollBacks: before.rollBacks,
  };
  const { report, scores } = await reportRound(attacked, signals, {
    run,
    clipping,
    pruning: pruningReport(before, attacked, { step, signals }, run),
    noted: answers.noted,
    seconds: (run.now() - startedMs) / 1000,
  });
  const rollBacks = rollBacksAfter(before.rollBacks, report);
  const after = settled({ ...attacked, rollBacks }, report, run);
  await run.store.finish({ report, optimizer: optimizerBytes(after.optimizer), scores, canaries });
  run.observer.report(report);
  announceReport(report, run);
  return { after, report };
}

function present(run: RunContext): ReturnType<RunContext['desk']['connected']> {
  return run.desk.connected().filter((site) => run.sites.has(site));
}

function roundRng(state: RunState, run: RunContext): RunContext['rng'] {
  return run.rng.fork(`cohort/${state.round}`);
}
