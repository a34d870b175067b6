import { ParleyError } from '../shared/errors.ts';
import { numParams } from '../shared/model/layout.ts';
import type { RecordSignals } from '../shared/model/signals.ts';
import { decodedSignals } from '../shared/protocol/payloads.ts';
import type { Farewell } from '../shared/protocol/plan.ts';
import type { RoundReport } from '../shared/protocol/report.ts';
import { RoundIndex, type SiteId } from '../shared/units.ts';
import { protectionAfter } from './aggregate/clip-norm.ts';
import { initialOptimizerState } from './aggregate/server-step.ts';
import { numRecords } from './audit/population.ts';
import { optimizerFrom, storedModel } from './checkpoint.ts';
import { collectSignals } from './collect.ts';
import { observed } from './observations.ts';
import { runRound, scoreTaskOf } from './round.ts';
import type { Model, Observations, RunContext, RunState } from './state.ts';

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
  const observations = await restoredObservations(reports, run);
  return {
    round: RoundIndex.parse(reports.length),
    model: last ? storedModel(run.store, last.modelSha256, run.config.model) : initial,
    optimizer: optimizer ? optimizerFrom(optimizer) : initialOptimizerState(run.config.server, params),
    protection: protectionAfter(run.protection, last?.clipping),
    participations: reports.map((report) => report.sites),
    observations,
  };
}

/** What the attacker had seen after the finished rounds, from the stored signals. */
export async function restoredObservations(
  reports: readonly RoundReport[],
  run: Pick<RunContext, 'store' | 'sites'>,
): Promise<Observations> {
  let observations: Observations = { initial: await signalsOf(0, run), lossHistory: new Map() };
  for (const { round } of reports)
    observations = observed(observations, await signalsOf(round + 1, run), run.sites);
  return observations;
}

/** The stored signals of the audit users under a model version. */
export async function signalsOf(
  version: number,
  run: Pick<RunContext, 'store' | 'sites'>,
): Promise<ReadonlyMap<SiteId, RecordSignals>> {
  const stored = await run.store.signals(RoundIndex.parse(version));
  const signals = new Map<SiteId, RecordSignals>();
  for (const [site, bytes] of stored) {
    const enrolled = run.sites.get(site);
    if (enrolled) signals.set(site, decodedSignals(bytes, numRecords(enrolled.population)));
  }
  return signals;
}

/** Asked again until a round is finished, since an interruption may have left some sites out; stored signals stay. */
async function scoreInitial(state: RunState, run: RunContext): Promise<RunState> {
  const scored = await collectSignals(scoreTaskOf(RoundIndex.parse(0), state.model, run), run);
  const initial = new Map([...scored, ...state.observations.initial]);
  return { ...state, observations: { ...state.observations, initial } };
}
