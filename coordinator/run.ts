import { ParleyError } from '../shared/errors.ts';
import { numParams } from '../shared/model/layout.ts';
import type { Farewell } from '../shared/protocol/plan.ts';
import type { RoundReport } from '../shared/protocol/report.ts';
import { RoundIndex, type Sha256 } from '../shared/units.ts';
import { protectionAfter } from './aggregate/clip-norm.ts';
import { initialOptimizerState } from './aggregate/server-step.ts';
import { optimizerFrom, storedMask, storedModel } from './checkpoint.ts';
import { collectSignals } from './collect.ts';
import { handsOverAnother } from './config.ts';
import { earlyStop } from './early-stopping.ts';
import { scoreTaskOf } from './orders.ts';
import { referenceSignals } from './reference-models.ts';
import { noRollBacks, rollBacksAfter } from './roll-back.ts';
import { runRound } from './round.ts';
import type { Model, RunContext, RunState, StoredMask } from './state.ts';
import { restoredObservations } from './stored-signals.ts';

/** Version 0, and the mask that training starts under, if it does. */
export interface InitialModel {
  readonly model: Model;
  readonly mask?: StoredMask | undefined;
}

/** How a run ended, and under which code if it stopped itself. */
export interface Outcome extends Pick<Farewell, 'outcome' | 'detail'> {
  readonly code?: 'LEAKAGE_LIMIT' | 'PRIVACY_BROKEN';
}

/**
 * Run the rounds that are left, from the last finished one, until the last round, the leakage policy or the canaries'
 * alarm ends the run.
 *
 * @throws INTERRUPTED when the operator ends it between two rounds, and what {@link runRound} throws.
 */
export async function runRounds(initial: InitialModel, run: RunContext): Promise<Outcome> {
  const last = (await run.store.reports()).at(-1);
  const ended = last && stoppedBy(last);
  if (ended) return ended;
  const early = await stoppedEarly(run);
  if (early) return early;
  let state = await restored(initial, run);
  if (last === undefined) state = await scoreInitial(state, run);
  while (state.round < run.config.rounds) {
    if (run.signal.aborted)
      throw new ParleyError(
        'INTERRUPTED',
        `stopped before round ${state.round}; start the same command again to go on`,
      );
    const { after, report } = await runRound(state, run);
    const stopped = stoppedBy(report) ?? (await stoppedEarly(run));
    if (stopped) return stopped;
    state = after;
  }
  return { outcome: 'finished', detail: `all ${run.config.rounds} rounds are done` };
}

const adversaries = { coordinator: 'the coordinator', recipients: 'model recipients' } as const;

/** Undefined where the run goes on. */
function stoppedBy({ policy, alarm, round, epsilon }: RoundReport): Outcome | undefined {
  if (alarm) {
    const proven = alarm.map(
      ({ view, bound, accounted }) =>
        `against ${adversaries[view]} epsilon is at least ${bound}, accounted for are ${accounted}`,
    );
    const detail =
      `the protection is broken: after round ${round}, ${proven.join(' and ')} (delta ${epsilon.delta}). Use none of this ` +
      "run's models; find out which site's noise or clipping does not work";
    return { outcome: 'stopped', detail, code: 'PRIVACY_BROKEN' };
  }
  if (policy.action !== 'stop') return undefined;
  const detail = `the leakage policy stopped the run: ${policy.reasons.join('; ')}`;
  return { outcome: 'stopped', detail, code: 'LEAKAGE_LIMIT' };
}

async function stoppedEarly({ store, config }: RunContext): Promise<Outcome | undefined> {
  // All reports grow with the rounds, so they are read only where they are looked at.
  if (!config.earlyStopping) return undefined;
  const detail = earlyStop(await store.reports(), config.earlyStopping);
  return detail === undefined ? undefined : { outcome: 'finished', detail };
}

/** The state after the last finished round, rebuilt from the store; the initial state when there is none. */
async function restored({ model: initial, mask }: InitialModel, run: RunContext): Promise<RunState> {
  const reports = await run.store.reports();
  const last = reports.at(-1);
  const optimizer = await run.store.optimizer();
  const params = numParams(run.config.model);
  const stored = (hash: Sha256): Model => storedModel(run.store, hash, run.config.model);
  const observations = await restoredObservations(reports.length, await referenceSignals(run), run);
  const from = last && startOfNext(last);
  return {
    round: RoundIndex.parse(reports.length),
    model: from ? stored(from.model) : initial,
    handedOver: from && handsOverAnother(run.config) ? stored(from.handedOver) : undefined,
    mask: from ? storedMask(run.store, from.mask, run.config.model) : mask,
    optimizer: optimizer ? optimizerFrom(optimizer) : initialOptimizerState(run.config.server, params),
    protection: protectionAfter(run.protection, last?.clipping),
    participations: reports.map((report) => report.sites),
    observations,
    canaries: await run.store.canaries(),
    rollBacks: reports.reduce(rollBacksAfter, noRollBacks(initial.sha256, mask?.sha256)),
  };
}

/** What the round after a finished one starts from, by hash. */
function startOfNext({ rolledBackTo, modelSha256, iterateSha256 = modelSha256, pruning }: RoundReport): {
  readonly model: Sha256;
  readonly handedOver: Sha256;
  readonly mask: Sha256 | undefined;
} {
  if (!rolledBackTo) return { model: iterateSha256, handedOver: modelSha256, mask: pruning?.maskSha256 };
  const { modelSha256: model, maskSha256: mask } = rolledBackTo;
  return { model, handedOver: model, mask };
}

/** Asked again until a round is finished, since an interruption may have left some sites out; stored signals stay. */
async function scoreInitial(state: RunState, run: RunContext): Promise<RunState> {
  const scored = await collectSignals(scoreTaskOf(RoundIndex.parse(0), state.model, run), run);
  const initial = new Map([...scored, ...state.observations.initial]);
  return { ...state, observations: { ...state.observations, initial } };
}
