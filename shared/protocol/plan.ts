import { z } from 'zod';
import { LocalPlan } from '../model/local-trainer.ts';
import { ModelSpec } from '../model/spec.ts';
import { gridStep } from '../privacy/grid.ts';
import { ClipNorm, Delta, NoiseMultiplier, RoundIndex, RunId, SamplingRate, Sha256 } from '../units.ts';

/** Rises when a message changes meaning; a peer of another version is refused with PROTOCOL_MISMATCH. */
export const protocolVersion = 1;

/** What a round promises its users. */
export const Protection = z.discriminatedUnion('type', [
  /** User-level differential privacy, add or remove one user; every site adds the full noise z * C itself. */
  z.strictObject({
    type: z.literal('user-dp'),
    mode: z.literal('local'),
    clipNorm: ClipNorm,
    noiseMultiplier: NoiseMultiplier,
    samplingRate: SamplingRate,
    /** The delta at which epsilon is reported and limited. */
    delta: Delta,
  }),
  /** No clipping and no noise: positive controls and baselines. `gridRange` only sets the step of the integer grid. */
  z.strictObject({ type: z.literal('none'), gridRange: ClipNorm, samplingRate: SamplingRate, delta: Delta }),
]);
export type Protection = z.infer<typeof Protection>;

/** Step of the integer grid that a plan's updates lie on, parameter units: sites round to it, the coordinator scales by it. */
export function planGridStep(protection: Protection, numParams: number): number {
  return gridStep(protection.type === 'none' ? protection.gridRange : protection.clipNorm, numParams);
}

const durationMs = z.number().int().nonnegative();

/** One round's signed order to the cohort (DESIGN section 2, step 1). Repeating a round repeats the same plan. */
export const Plan = z.strictObject({
  protocolVersion: z.literal(protocolVersion),
  run: RunId,
  round: RoundIndex,
  rounds: z.number().int().positive(),
  model: z.strictObject({ spec: ModelSpec, sha256: Sha256, sizeBytes: z.number().int().positive() }),
  local: LocalPlan,
  protection: Protection,
  minSites: z.number().int().positive(),
  /** From the plan's arrival: a real site answers at this tick, not when it happens to finish. */
  answerAfterMs: durationMs,
  deadlineMs: durationMs.positive(),
});
export type Plan = z.infer<typeof Plan>;

/** A signed order to score the audit users under model `version` (0 is the initial model, r + 1 that of round r). */
export const ScoreTask = z.strictObject({
  run: RunId,
  version: RoundIndex,
  model: z.strictObject({ spec: ModelSpec, sha256: Sha256, sizeBytes: z.number().int().positive() }),
});
export type ScoreTask = z.infer<typeof ScoreTask>;

/** A signed order to flip the audit coins, once for each run, and to send the roster of audit users. */
export const EnrolTask = z.strictObject({
  run: RunId,
  numFeatures: z.number().int().positive(),
  numClasses: z.number().int().min(2),
});
export type EnrolTask = z.infer<typeof EnrolTask>;

/** The coordinator's last word in a run. */
export const Farewell = z.strictObject({
  run: RunId,
  outcome: z.enum(['finished', 'stopped', 'failed', 'paused']),
  detail: z.string(),
});
export type Farewell = z.infer<typeof Farewell>;
