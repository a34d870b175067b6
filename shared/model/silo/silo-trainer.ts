import type { Shard } from '../../data/shard.ts';
import type { Rng } from '../../random/rng.ts';
import type { LocalPlan } from '../local-trainer.ts';
import type { ParameterMask } from '../mask.ts';
import type { SiloDefence } from './silo-defence.ts';

/** One round's training of a whole site. */
export interface SiloTask {
  /** Received parameters, shape (numParams,). */
  readonly parameters: Float32Array;
  readonly shard: Shard;
  /** Indices of the drawn users, ascending. */
  readonly users: Int32Array;
  /**
   * Indices of the site's reference users, ascending: they never train on labels, are outside the promise, and stand for
   * the public records that some defences need, where there is no `publicShard`.
   */
  readonly reference: Int32Array;
  /** Records that are nobody's secret, all of them; none when left out. */
  readonly publicShard?: Shard | undefined;
  readonly plan: LocalPlan & { readonly silo: SiloDefence };
  /** What is trained; everything when left out. A pruned parameter keeps its received value in every step. */
  readonly mask?: ParameterMask | undefined;
  readonly rng: Rng;
}

/** What it gives; diagnostics never leave the site. */
export interface SiloResult {
  /** Trained parameters, shape (numParams,); not finite where training diverged. */
  readonly parameters: Float32Array;
  /** Records of drawn users that the model cannot take, and that were left out. */
  readonly unusable: number;
}

/**
 * Trains one model on the records of all drawn users together, by the plan's silo-level defence. Its providers agree to float
 * tolerance. Nothing of it is user-level private.
 */
export interface SiloTrainer {
  readonly provider: 'general' | 'dense';
  readonly description: string;
  /** @throws WRONG_SHAPE, MODEL_INVALID where parameters, records or users do not fit; POLICY_REFUSED where the defence needs public records and the site has neither these nor reference users. */
  train(task: SiloTask): Promise<SiloResult>;
}
