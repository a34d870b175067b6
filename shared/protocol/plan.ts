import { z } from 'zod';
import { assertNever } from '../errors.ts';
import { LocalPlan } from '../model/local-trainer.ts';
import type { SiloDefence } from '../model/silo/silo-defence.ts';
import { ModelSpec } from '../model/spec.ts';
import { type MechanismEvent, sampledGaussian } from '../privacy/accounting/event.ts';
import {
  type BitRelease,
  bitReleaseEvent,
  isDivisible,
  jointClipNorm,
} from '../privacy/adaptive-clipping.ts';
import { BandedMatrix, noiseFactorOfRound } from '../privacy/banded-matrix.ts';
import { gridStep } from '../privacy/grid.ts';
import { ClipNorm, Delta, NoiseMultiplier, RoundIndex, RunId, SamplingRate, Sha256 } from '../units.ts';

/** Rises when a message changes meaning; a peer of another version is refused with PROTOCOL_MISMATCH. */
export const protocolVersion = 5;

/** What a round promises its users. */
export const Protection = z.discriminatedUnion('type', [
  /** User-level differential privacy, add or remove one user; every site adds the full noise z * C itself. */
  z
    .strictObject({
      type: z.literal('user-dp'),
      mode: z.literal('local'),
      /** C of this round. */
      clipNorm: ClipNorm,
      /** z, charged for all that the release holds. */
      noiseMultiplier: NoiseMultiplier,
      samplingRate: SamplingRate,
      /** The delta at which epsilon is reported and limited. */
      delta: Delta,
      /** The release also counts the users within C, with each site's own noise of this standard deviation in users. */
      adaptiveClipping: z.strictObject({ bitStdDev: z.number().positive() }).optional(),
    })
    .refine(
      ({ noiseMultiplier, adaptiveClipping }) =>
        !adaptiveClipping || isDivisible({ noiseMultiplier, ...adaptiveClipping }),
      'adaptiveClipping.bitStdDev must be more than half the noise multiplier',
    ),
  /**
   * The same without coins: each user takes part in one of `minSeparation` rounds, and each site's own noise is correlated
   * over rounds (docs/banded-noise.md). z is before the matrix's sensitivity.
   */
  z.strictObject({
    type: z.literal('user-dp-banded'),
    mode: z.literal('local'),
    clipNorm: ClipNorm,
    noiseMultiplier: NoiseMultiplier,
    matrix: BandedMatrix,
    delta: Delta,
  }),
  /** No clipping and no noise: positive controls and baselines. `gridRange` only sets the step of the integer grid. */
  z.strictObject({ type: z.literal('none'), gridRange: ClipNorm, samplingRate: SamplingRate, delta: Delta }),
]);
export type Protection = z.infer<typeof Protection>;

/** What a plan's releases look like: how sites make them and how the coordinator reads them. */
export interface ReleaseShape {
  /** Length of a release: the parameters that are kept, and the count of users within C where the clip norm adapts. */
  readonly numCoordinates: number;
  /** L2 bound on all that one user adds to a release, parameter units: C, or C and the count jointly. */
  readonly clipNorm: ClipNorm;
  /** Step of the integer grid, parameter units. */
  readonly gridStep: number;
}

/** The shape of a plan's releases of so many kept parameters, for the side that makes them and the side that reads them. */
export function releaseShape(protection: Protection, numParams: number): ReleaseShape {
  const release = adaptiveRelease(protection);
  const numCoordinates = release ? numParams + 1 : numParams;
  const clipNorm = release ? jointClipNorm(release) : rangeOf(protection);
  return { numCoordinates, clipNorm, gridStep: gridStep(clipNorm, numCoordinates) };
}

/** Sizes of the tensors that a plan's releases are made of, from those of the model; the count is one of its own. */
export function releaseTensors(protection: Protection, modelTensors: readonly number[]): readonly number[] {
  return adaptiveRelease(protection) ? [...modelTensors, 1] : modelTensors;
}

/** C, z and sigma_b of a round whose release counts the users within C; undefined for one that does not. */
export function adaptiveRelease(protection: Protection): BitRelease | undefined {
  if (protection.type !== 'user-dp' || !protection.adaptiveClipping) return undefined;
  const { clipNorm, noiseMultiplier, adaptiveClipping } = protection;
  return { clipNorm, noiseMultiplier, ...adaptiveClipping };
}

/**
 * What a release under a plan costs: budgets before it, the ledger after it and the coordinator's mirror all use this. A
 * site's first release under a banded matrix pays for all of its rounds.
 */
export function plannedEvent(protection: Protection, isFirst = true): MechanismEvent {
  switch (protection.type) {
    case 'user-dp': {
      const release = adaptiveRelease(protection);
      return release
        ? bitReleaseEvent(release, protection.samplingRate)
        : sampledGaussian(protection.noiseMultiplier, protection.samplingRate);
    }
    case 'user-dp-banded': {
      const { noiseMultiplier, matrix } = protection;
      return { type: isFirst ? 'banded-matrix' : 'banded-matrix-step', noiseMultiplier, matrix };
    }
    case 'none':
      return { type: 'non-private' };
    default:
      return assertNever(protection);
  }
}

/** The share of a site's users that takes part in a round on average, in (0, 1]: public, for denominators. */
export function participationRate(protection: Protection): number {
  return protection.type === 'user-dp-banded' ? 1 / protection.matrix.minSeparation : protection.samplingRate;
}

/** Why a silo-level defence goes with no promise to users. */
export function brokenPromise(silo: SiloDefence, protection: Pick<Protection, 'type'>): string {
  return (
    `${silo.type} trains on all users of a site together, so no user's influence is bounded, and ${protection.type} would promise what ` +
    'does not hold: take a per-user defence, or protection none, which is stamped'
  );
}

/** Standard deviation of a round's noise over z C: above 1 where noise is correlated over rounds. */
export function noiseFactor(protection: Protection, round: number): number {
  return protection.type === 'user-dp-banded' ? noiseFactorOfRound(protection.matrix, round) : 1;
}

function rangeOf(protection: Protection): ClipNorm {
  return protection.type === 'none' ? protection.gridRange : protection.clipNorm;
}

const durationMs = z.number().int().nonnegative();

/** What of the model is trained and released: the file that says so, and how many parameters it keeps. */
export const PlannedMask = z.strictObject({
  sha256: Sha256,
  sizeBytes: z.number().int().positive(),
  kept: z.number().int().positive(),
});
export type PlannedMask = z.infer<typeof PlannedMask>;

/** One round's signed order to the cohort (DESIGN section 2, step 1). Repeating a round repeats the same plan. */
export const Plan = z
  .strictObject({
    protocolVersion: z.literal(protocolVersion),
    run: RunId,
    round: RoundIndex,
    rounds: z.number().int().positive(),
    model: z.strictObject({ spec: ModelSpec, sha256: Sha256, sizeBytes: z.number().int().positive() }),
    /** Everything when left out. */
    mask: PlannedMask.optional(),
    local: LocalPlan,
    protection: Protection,
    minSites: z.number().int().positive(),
    /** From the plan's arrival: a real site answers at this tick, not when it happens to finish. */
    answerAfterMs: durationMs,
    deadlineMs: durationMs.positive(),
  })
  .refine(
    ({ mask, protection }) => !mask || protection.type !== 'user-dp-banded',
    'noise that is correlated over rounds takes no mask: it must be drawn for the same parameters in every round',
  );
export type Plan = z.infer<typeof Plan>;

/** Versions from here on stand for public reference models, in the order of the configuration; no run has so many rounds. */
export const firstReferenceVersion = 1_000_000_000;

/** Version v plus this stands for what version v was before it was pruned. */
export const firstUnprunedVersion = 2_000_000_000;

/**
 * A signed order to score the audit users under model `version` (0 is the initial model, r + 1 that of round r; from
 * `firstReferenceVersion` on the reference models, and from `firstUnprunedVersion` on models before they were pruned).
 */
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
