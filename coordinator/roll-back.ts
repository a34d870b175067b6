import { numParams } from '../shared/model/layout.ts';
import type { RoundReport } from '../shared/protocol/report.ts';
import { RoundIndex, type Sha256 } from '../shared/units.ts';
import { initialOptimizerState } from './aggregate/server-step.ts';
import { storedMask, storedModel } from './checkpoint.ts';
import type { RollBacks, RunContext, RunState } from './state.ts';

/** A run without any round. */
export function noRollBacks(initialModelSha256: Sha256, maskSha256?: Sha256): RollBacks {
  const initial = { version: RoundIndex.parse(0), modelSha256: initialModelSha256 };
  return { target: { ...initial, ...(maskSha256 && { maskSha256 }) }, done: 0 };
}

/** After one more round. A round whose audit was void, or that passed a limit, leaves no version to go back to. */
export function rollBacksAfter(before: RollBacks, report: RoundReport): RollBacks {
  const { policy, round, modelSha256, pruning, rolledBackTo } = report;
  const mask = pruning?.maskSha256 && { maskSha256: pruning.maskSha256 };
  const target =
    policy.action === 'go-on'
      ? { version: RoundIndex.parse(round + 1), modelSha256, ...mask }
      : before.target;
  return { target, done: before.done + (rolledBackTo ? 1 : 0) };
}

/** The policy's verdict, with no more roll-backs than the configuration allows: then the run stops. */
export function withinRollBacks(
  verdict: RoundReport['policy'],
  { done }: RollBacks,
  maxRollBacks: number,
): RoundReport['policy'] {
  if (verdict.action !== 'roll-back' || done < maxRollBacks) return verdict;
  const reason = `the run was rolled back ${done} time(s) already and maxRollBacks is ${maxRollBacks}`;
  return { action: 'stop', reasons: [...verdict.reasons, reason] };
}

/**
 * The state that the next round starts from: where the report rolls back, that version's parameters and mask and a fresh
 * optimizer.
 * Rounds and ledgers count on, since what was spent is spent; the attacker keeps what was seen.
 *
 * @throws RUN_NOT_FOUND, MODEL_HASH_MISMATCH when the version's file is gone or was changed.
 */
export function settled(after: RunState, report: RoundReport, run: RunContext): RunState {
  if (!report.rolledBackTo) return after;
  const { model: spec, server } = run.config;
  const model = storedModel(run.store, report.rolledBackTo.modelSha256, spec);
  return {
    ...after,
    model,
    handedOver: after.handedOver && model,
    optimizer: initialOptimizerState(server, numParams(spec)),
    mask: storedMask(run.store, report.rolledBackTo.maskSha256, spec),
  };
}
