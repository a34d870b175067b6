import { z } from 'zod';

const rate = z.number().min(0).max(1);
const count = z.number().int().nonnegative();

/** TPR at the largest threshold with FPR <= fpr, with a Clopper-Pearson 95 % interval; undefined below 1/fpr non-members. */
export const TprAtFpr = z.discriminatedUnion('status', [
  z.strictObject({
    status: z.literal('measured'),
    fpr: rate,
    tpr: rate,
    low: rate,
    high: rate,
    falsePositives: count,
  }),
  z.strictObject({ status: z.literal('not-testable'), fpr: rate, nonMembersNeeded: count }),
]);
export type TprAtFpr = z.infer<typeof TprAtFpr>;

/** One attack's separation of members from held-out users; 95 % interval of the AUC. Larger AUC = more leakage. */
export const AttackResult = z.strictObject({
  attack: z.string(),
  auc: rate,
  low: rate,
  high: rate,
  tprAtFpr: z.array(TprAtFpr),
});
export type AttackResult = z.infer<typeof AttackResult>;

/**
 * One subpopulation under the subpopulation attack. `pValue` is one-sided and adjusted over all testable groups; the AUC
 * intervals of all testable groups hold together at 95 % (Bonferroni), since the worst one is picked afterwards.
 */
export const GroupResult = z.discriminatedUnion('status', [
  z.strictObject({
    status: z.literal('tested'),
    column: z.string(),
    value: z.string(),
    members: count,
    heldOut: count,
    auc: rate,
    low: rate,
    high: rate,
    pValue: rate,
    rejected: z.boolean(),
    tprAtFpr: z.array(TprAtFpr),
  }),
  z.strictObject({
    status: z.literal('not-testable'),
    column: z.string(),
    value: z.string(),
    members: count,
    heldOut: count,
    reason: z.string(),
  }),
]);
export type GroupResult = z.infer<typeof GroupResult>;

export const AuditReport = z.strictObject({
  members: count,
  heldOut: count,
  reference: count,
  /** The attack declared before the run; the others stand in `attacks` for the record. */
  user: AttackResult,
  attacks: z.array(AttackResult),
  /** Attacks that had nothing to work on, with the reason; they have no figures. */
  notMeasured: z.array(z.strictObject({ attack: z.string(), reason: z.string() })).default([]),
  /** All attacks combined by a regression on half of the audit users; its figures are those of the other half alone. */
  combined: AttackResult.extend({
    evaluatedOn: z.strictObject({ members: count, heldOut: count }),
  }).optional(),
  /** The testable group with the smallest adjusted p-value (ties: the larger AUC); null when none is testable. */
  worstGroup: z
    .strictObject({ column: z.string(), value: z.string(), auc: rate, low: rate, high: rate, pValue: rate })
    .nullable(),
  groups: z.array(GroupResult),
  multipleTesting: z.enum(['holm', 'benjamini-hochberg']),
  /** The declared attack on permuted labels, means over 200 permutations; a failed control voids the verdict. */
  negativeControl: z.strictObject({ auc: rate, low: rate, high: rate, passed: z.boolean() }),
  /** The audit of a leak that was put into the declared scores; a failed control voids the verdict. Absent below 6 a side. */
  positiveControl: z
    .strictObject({ plantedAuc: rate, auc: rate, low: rate, high: rate, pValue: rate, passed: z.boolean() })
    .optional(),
  /** Smallest AUC that the declared attack's test would notice with probability 0.8 at level 0.05. */
  minimumDetectableAuc: rate,
  /** ROC of the declared attack, thinned for drawing: pairs (fpr, tpr). */
  roc: z.array(z.tuple([rate, rate])),
});
export type AuditReport = z.infer<typeof AuditReport>;
