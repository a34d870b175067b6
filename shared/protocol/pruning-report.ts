import { z } from 'zod';
import { Sha256 } from '../units.ts';
import { AttackResult } from './audit-report.ts';

const rate = z.number().min(0).max(1);
const count = z.number().int().nonnegative();

/** What a model is worth on the records of held-out audit users. */
export const Utility = z.strictObject({
  metric: z.enum(['auc', 'accuracy']),
  value: rate,
  accuracy: rate,
  loss: z.number().nonnegative(),
  heldOutRecords: count,
});
export type Utility = z.infer<typeof Utility>;

/** Quantiles of the users' mean losses in nats at `lossQuantiles`. */
const Losses = z.array(z.number()).length(5);

/** Where the loss distributions of a pruning step are looked at. */
export const lossQuantiles = [0.05, 0.25, 0.5, 0.75, 0.95] as const;

/** What a model is worth and what it gives away under the declared attack: the same figures before and after a step. */
export const Leakage = z.strictObject({
  utility: Utility,
  user: AttackResult,
  memberLosses: Losses,
  heldOutLosses: Losses,
});
export type Leakage = z.infer<typeof Leakage>;

/** How sparse a round's model is, what that saves, and what the round's pruning step did, if there was one. */
export const PruningReport = z.strictObject({
  /** Of all parameters of the round's model. */
  kept: count,
  /** Share of the parameters that are pruned. */
  sparsity: rate,
  /** What the next round trains under; missing before the first step. */
  maskSha256: Sha256.optional(),
  /** Bytes of each site's release in this round, and what they would have been without a mask. */
  uploadBytes: count,
  fullUploadBytes: count,
  /** Audit users of the sites that scored both models. */
  step: z.strictObject({ pruned: count, unprunedSha256: Sha256, before: Leakage, after: Leakage }).optional(),
});
export type PruningReport = z.infer<typeof PruningReport>;
