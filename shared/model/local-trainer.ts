import { z } from 'zod';
import type { Shard } from '../data/shard.ts';
import type { SummedUpdate } from '../privacy/update.ts';
import type { Rng } from '../random/rng.ts';
import { Defence } from './defence.ts';
import type { ParameterMask } from './mask.ts';
import { siloContradiction } from './silo/combine.ts';
import { SiloDefence } from './silo/silo-defence.ts';

const settings = z.strictObject({
  epochs: z.number().int().positive(),
  /** Records in one step; `all` takes the user's records in one step, without shuffling. */
  batchSize: z.union([z.literal('all'), z.number().int().positive()]),
  learningRate: z.number().positive(),
  /** At most this many records of a user take part, the first ones by row order. */
  maxRecordsPerUser: z.number().int().positive().default(1000),
  /** Coefficient of 1/2 ||w||^2 over all parameters. */
  l2: z.number().nonnegative().default(0),
  defence: Defence.default({ type: 'none' }),
  /** Where given, a site trains on all drawn users together, and nothing is user-level private (silo/). */
  silo: SiloDefence.optional(),
});

/** How one user's records are trained on, starting from the received parameters; plain SGD. */
export const LocalPlan = settings.superRefine(({ silo, defence }, context) => {
  const reason = silo && siloContradiction(silo, defence);
  if (reason !== undefined) context.addIssue({ code: 'custom', path: ['silo'], message: reason });
});
export type LocalPlan = z.infer<typeof LocalPlan>;

/** One round's local work at one site. */
export interface LocalTask {
  /** Received parameters, shape (numParams,). */
  readonly parameters: Float32Array;
  /**
   * What is trained; everything when left out. A pruned parameter keeps its received value in every local step, so each
   * update is zero there before it is clipped, and the others descend as if it were a constant of the model.
   */
  readonly mask?: ParameterMask | undefined;
  readonly shard: Shard;
  /** Indices of the drawn users, ascending. */
  readonly users: Int32Array;
  readonly plan: LocalPlan;
  /** Decides RelaxLoss's parity when `parity` is `round`. */
  readonly round: number;
  /** Joint L2 bound over all parameters; 'unbounded' only where nothing is promised. */
  readonly clipNorm: number | 'unbounded';
  /**
   * Each user's share of the clip norm, in (0, 1], shape (numUsers,) of the shard, so that users at several sites count once
   * in all; 1 for everybody when left out. A user's clipped update enters the sum times her weight.
   */
  readonly weights?: Float64Array | undefined;
  /** Shuffles of records into steps; forked by user id, so that a user's steps do not depend on who else is in the shard. */
  readonly rng: Rng;
}

/** What local training gives: the weighted sum of clipped updates, and diagnostics that never leave the site. */
export interface LocalResult {
  readonly sum: SummedUpdate;
  /** L2 norm of each drawn user's update before clipping and weighting, shape (users.length,), after non-finite ones became zero. */
  readonly norms: Float64Array;
  /** Users whose update was not finite and was replaced by zero. */
  readonly nonFinite: number;
}

/**
 * Trains every drawn user on that user's records only, clips each update, weights it, and adds them up in float64 in
 * ascending order. Providers must agree with the naive per-user loop to float tolerance; the run says which one it uses and why.
 */
export interface LocalTrainer {
  readonly provider: 'general' | 'dense';
  /** Backend and reason, for the log: e.g. `tfjs wasm (SIMD); tfjs-node is not installed`. */
  readonly description: string;
  clippedSum(task: LocalTask): Promise<LocalResult>;
}
