import type { Identity } from '../shared/crypto/identity.ts';
import type { ParameterMask } from '../shared/model/mask.ts';
import type { RecordSignals } from '../shared/model/signals.ts';
import type { ModelSpec } from '../shared/model/spec.ts';
import type { Manifest } from '../shared/protocol/manifest.ts';
import type { Protection } from '../shared/protocol/plan.ts';
import type { RoundReport } from '../shared/protocol/report.ts';
import type { Rng } from '../shared/random/rng.ts';
import type { RoundIndex, RunId, Sha256, SiteId } from '../shared/units.ts';
import type { OptimizerState } from './aggregate/server-step.ts';
import type { CanaryScores } from './audit/canaries/scores.ts';
import type { AuditPopulation } from './audit/population.ts';
import type { FederationConfig } from './config.ts';
import type { Desk } from './desk.ts';
import type { Store } from './store/store.ts';

/** A model of the run: its parameters, shape (numParams,), and the file that holds them. */
export interface Model {
  readonly parameters: Float32Array;
  readonly sha256: Sha256;
  readonly sizeBytes: number;
}

/** Which parameters rounds train and sites release, and the file that says so. */
export interface StoredMask {
  readonly mask: ParameterMask;
  readonly sha256: Sha256;
  readonly sizeBytes: number;
}

/** A public model that calibrates attacks; its architecture may be another one than the run's. */
export interface ReferenceModel {
  readonly spec: ModelSpec;
  readonly sha256: Sha256;
  readonly sizeBytes: number;
}

/** Teaches students on the coordinator's public records, of which no label is read. */
export interface Distiller {
  /** What the manifest keeps of the records, so that a run goes on with the ones that it began with. */
  readonly records: NonNullable<Manifest['publicRecords']>;
  /**
   * The student after one more round, shape (numParams,): from `start`, taught by the round's model. What the mask prunes stays
   * as it is. The same round makes the same student.
   */
  student(
    teacher: Pick<Model, 'parameters' | 'sha256'>,
    start: Float32Array,
    mask: StoredMask | undefined,
  ): Promise<Float32Array>;
}

/** Who was asked, answered or declined in a round: what the mirror of the sites' ledgers is made of. */
export type Participation = RoundReport['sites'];

/** All that changes from round to round. The model of `round` r is version r; it is the input of that round. */
export interface RunState {
  readonly round: RoundIndex;
  readonly model: Model;
  /** What is attacked and handed over instead of `model`; only where the run averages or distils: the average, or the student. */
  readonly handedOver: Model | undefined;
  readonly optimizer: OptimizerState;
  /** What the round trains; everything when undefined. Pruned parameters are zero, and so are the optimizer's moments there. */
  readonly mask?: StoredMask | undefined;
  /** The promise of this round: the run's, with the clip norm that adaptive clipping has come to. */
  readonly protection: Protection;
  /** One entry for each finished round. */
  readonly participations: readonly Participation[];
  /** What the attacker has seen so far. */
  readonly observations: Observations;
  /** What the releases of the finished rounds say of the random-direction canaries. */
  readonly canaries: readonly CanaryScores[];
  readonly rollBacks: RollBacks;
}

/** What a round's training makes: all that pruning changes. */
export type Trained = Pick<RunState, 'model' | 'handedOver' | 'optimizer' | 'mask'>;

/** Parameters that a round trains and each of its releases holds. */
export function numReleased({ mask, model }: Pick<RunState, 'mask' | 'model'>): number {
  return mask?.mask.kept ?? model.parameters.length;
}

/** What a leakage policy's roll-backs need to know of a run so far. */
export interface RollBacks {
  /** The newest version within all its limits, 0 being the initial model, which saw nobody, and r + 1 that of round r. */
  readonly target: NonNullable<RoundReport['rolledBackTo']>;
  readonly done: number;
}

/** Signals by site: under the initial and the reference models, and each user's means after every finished round. */
export interface Observations {
  readonly initial: ReadonlyMap<SiteId, RecordSignals>;
  /** One map for each reference model, in the order of the configuration. */
  readonly references: readonly ReadonlyMap<SiteId, RecordSignals>[];
  readonly lossHistory: ReadonlyMap<SiteId, readonly Float32Array[]>;
  readonly marginHistory: ReadonlyMap<SiteId, readonly Float32Array[]>;
}

/** A site that has enrolled: the public constant that it declared, and its audit users. */
export interface EnrolledSite {
  readonly declaredUsers: number;
  readonly population: AuditPopulation;
  /** Coins of the random-direction canaries, shape (numCanaries,): 0 member, 1 held-out. */
  readonly canaries: Int32Array;
  readonly privacy: RoundReport['privacy'];
}

/** What the coordinator tells whoever watches; never anything un-noised of a protected user. */
export interface Observer {
  readonly stage: (round: number, stage: string, done: number, total: number) => void;
  readonly report: (report: RoundReport) => void;
  readonly note: (text: string) => void;
}

/** All that stays the same during a run. */
export interface RunContext {
  readonly run: RunId;
  /** Public models that the audit users are scored under once. */
  readonly referenceModels: readonly ReferenceModel[];
  /** Only where the run distils. */
  readonly distiller?: Distiller | undefined;
  readonly config: FederationConfig;
  readonly protection: Protection;
  readonly identity: Identity;
  readonly sites: ReadonlyMap<SiteId, EnrolledSite>;
  readonly desk: Desk;
  readonly store: Store;
  readonly rng: Rng;
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number;
  readonly observer: Observer;
  /** Aborted when the operator wants the run to end; waiting stops at once, a round in progress is not counted. */
  readonly signal: AbortSignal;
}
