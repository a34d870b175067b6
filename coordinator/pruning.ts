import { layoutOf } from '../shared/model/layout.ts';
import { type ParameterMask, pruned } from '../shared/model/mask.ts';
import type { Signals } from '../shared/model/signals.ts';
import { updateBytes } from '../shared/protocol/payloads.ts';
import { firstUnprunedVersion, releaseShape } from '../shared/protocol/plan.ts';
import type { PruningReport } from '../shared/protocol/pruning-report.ts';
import { RoundIndex, type SiteId } from '../shared/units.ts';
import { isPruningRound, prunedMask } from './aggregate/prune.ts';
import { leakageOf } from './audit/leakage.ts';
import { saveMask, saveModel } from './checkpoint.ts';
import { collectSignals } from './collect.ts';
import { evidenceOf, observed } from './observations.ts';
import { scoreTaskOf } from './orders.ts';
import { type Model, numReleased, type RunContext, type RunState, type Trained } from './state.ts';

type SiteSignals = ReadonlyMap<SiteId, Signals>;

/** A round's models after its pruning step, if there was one, and what the audit users showed of them before. */
export interface PrunedRound {
  readonly trained: Trained;
  readonly step?: { readonly pruned: number; readonly unpruned: Model; readonly signals: SiteSignals };
}

/**
 * Prune what a round has trained where the schedule says so: first the audit users score the unpruned model, then its weights of
 * smallest magnitude are set to zero, in what is handed over and in the optimizer's state too, and stay zero: the next plans' mask
 * leaves them out of updates, and without an update or a moment no optimizer moves them.
 *
 * @throws ROUND_QUORUM_LOST, INTERRUPTED as `collectSignals`.
 */
export async function prune(trained: Trained, round: RoundIndex, run: RunContext): Promise<PrunedRound> {
  const { pruning, rounds, model: spec } = run.config;
  if (!pruning?.steps || !isPruningRound(pruning, round, rounds)) return { trained };
  const before = trained.mask?.mask;
  const { parameters } = trained.model;
  const mask = prunedMask(parameters, layoutOf(spec), before, { pruning, ...pruning.steps });
  if (!mask) return { trained };
  const unpruned = trained.handedOver ?? trained.model;
  const version = RoundIndex.parse(firstUnprunedVersion + round + 1);
  const signals = await collectSignals(scoreTaskOf(version, unpruned, run), run);
  const count = (before?.kept ?? parameters.length) - mask.kept;
  return { trained: underMask(trained, mask, run), step: { pruned: count, unpruned, signals } };
}

/** The initial model, pruned where training is to start under a mask. */
export function underInitialMask(
  model: Model,
  run: Pick<RunContext, 'config' | 'store'>,
): Pick<Trained, 'model' | 'mask'> {
  const { pruning, model: spec } = run.config;
  if (!pruning || pruning.initialShare === 0) return { model };
  const share = pruning.initialShare;
  const cut = { pruning, share, maxShare: share };
  const mask = prunedMask(model.parameters, layoutOf(spec), undefined, cut);
  if (!mask) return { model };
  return { model: saveModel(pruned(model.parameters, mask), run), mask: saveMask(mask, run) };
}

function underMask({ model, handedOver, optimizer }: Trained, mask: ParameterMask, run: RunContext): Trained {
  return {
    model: saveModel(pruned(model.parameters, mask), run),
    handedOver: handedOver && saveModel(pruned(handedOver.parameters, mask), run),
    optimizer: {
      ...optimizer,
      first: pruned(optimizer.first, mask),
      second: pruned(optimizer.second, mask),
    },
    mask: saveMask(mask, run),
  };
}

/** What a report says of pruning; undefined in a run that does not prune. Before and after are compared on the same sites. */
export function pruningReport(
  before: RunState,
  after: RunState,
  { step, signals }: { readonly step: PrunedRound['step']; readonly signals: SiteSignals },
  run: RunContext,
): PruningReport | undefined {
  if (!run.config.pruning) return undefined;
  const numParams = after.model.parameters.length;
  const kept = numReleased(after);
  const bytes = (released: number): number =>
    updateBytes(releaseShape(before.protection, released).numCoordinates);
  return {
    kept,
    sparsity: 1 - kept / numParams,
    ...(after.mask && { maskSha256: after.mask.sha256 }),
    uploadBytes: bytes(numReleased(before)),
    fullUploadBytes: bytes(numParams),
    ...(step && { step: stepReport(before, { step, signals }, run) }),
  };
}

function stepReport(
  before: RunState,
  { step, signals }: { readonly step: NonNullable<PrunedRound['step']>; readonly signals: SiteSignals },
  run: RunContext,
): PruningReport['step'] {
  const leakage = (own: SiteSignals, other: SiteSignals): ReturnType<typeof leakageOf> => {
    const both = new Map([...own].filter(([site]) => other.has(site)));
    const observations = observed(before.observations, both, run.sites);
    return leakageOf(evidenceOf(observations, both, run.sites), run.config.audit);
  };
  return {
    pruned: step.pruned,
    unprunedSha256: step.unpruned.sha256,
    before: leakage(step.signals, signals),
    after: leakage(signals, step.signals),
  };
}
