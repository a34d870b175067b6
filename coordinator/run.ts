import { ParleyError } from '../shared/errors.ts';
import { numParams } from '../shared/model/layout.ts';
import type { Farewell } from '../shared/protocol/plan.ts';
import type { RoundReport } from '../shared/protocol/report.ts';
import { RoundIndex } from '../shared/units.ts';
import { protectionAfter } from './aggregate/clip-norm.ts';
import { initialOptimizerState } from './aggregate/server-step.ts';
import { optimizerFrom, storedModel } from './checkpoint.ts';
import { collectSignals } from './collect.ts';
import { observed } from './observations.ts';
import { referenceSignals } from './reference-models.ts';
import { runRound, scoreTaskOf } from './round.ts';
import type { Model, RunContext, RunState } from './state.ts';
import { signalsOf } from './stored-signals.ts';

/** How a run ended. */
export type Outcome = Pick<Farewell, 'outcome' | 'detail'>;

/**
 * Run the rounds that are left, from the last finished one, until the last round or the leakage policy ends the run.
 *
 * @throws INTERRUPTED when the operator ends it between two rounds, and what {@link runRound} throws.
 */
export async function runRounds(model: Model, run: RunContext): Promise<Outcome> {
  const last = (await run.store.reports()).at(-1);
  if (last?.policy.action === 'stop') return stoppedBy(last);
  let state = await restored(model, run);
  if (last === undefined) state = await scoreInitial(state, run);
  while (state.round < run.config.rounds) {
    if (run.signal.aborted)
      throw new ParleyError(
        'INTERRUPTED',
        `stopped before round ${state.round}; start the same command again to go on`,
      );
    const { after, report } = await runRound(state, run);
    if (report.policy.action === 'stop') return stoppedBy(report);
    state = after;
  }
  return { outcome: 'finished', detail: `all ${run.config.rounds} rounds are done` };
}

function stoppedBy({ policy }: RoundReport): Outcome {
  return { outcome: 'stopped', detail: `the leakage policy stopped the run: ${policy.reasons.join('; ')}` };
}

/** The state after the last finished round, rebuilt from the store; the initial state when there is none. */
async function restored(initial: Model, run: RunContext): Promise<RunState> {
  const reports = await run.store.reports();
  const last = reports.at(-1);
  const optimizer = await run.store.optimizer();
  const params = numParams(run.config.model);
  const spec = run.config.model;
  let observations: RunState['observations'] = {
    initial: await signalsOf(RoundIndex.parse(0), spec, run),
    references: await referenceSignals(run),
    lossHistory: new Map(),
    marginHistory: new Map(),
  };
  for (const { round } of reports)
    observations = observed(observations, await signalsOf(RoundIndex.parse(round + 1), spec, run), run.sites);
  return {
    round: RoundIndex.parse(reports.length),
    model: last ? storedModel(run.store, last.modelSha256, run.config.model) : initial,
    optimizer: optimizer ? optimizerFrom(optimizer) : initialOptimizerState(run.config.server, params),
    protection: protectionAfter(run.protection, last?.clipping),
    participations: reports.map((report) => report.sites),
    observations,
  };
}

/** Asked again until a round is finished, since an interruption may have left some sites out; stored signals stay. */
async function scoreInitial(state: RunState, run: RunContext): Promise<RunState> {
  const scored = await collectSignals(scoreTaskOf(RoundIndex.parse(0), state.model, run), run);
  const initial = new Map([...scored, ...state.observations.initial]);
  return { ...state, observations: { ...state.observations, initial } };
}
