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

/** What a group's figures stand in for: a group that is too small is judged by its parent. */
const ParentGroup = z.union([
  z.strictObject({ column: z.string(), value: z.string() }),
  z.literal('all users'),
]);
export type ParentGroup = z.infer<typeof ParentGroup>;

/**
 * TPR - FPR at a threshold that half of the group's held-out users fixed (false positive rate 0.1 at most); the FPR is that of
 * the other half. Each rate has a Clopper-Pearson interval at 97.5 %, so that the interval of the difference holds at 95 %.
 */
export const Advantage = z.strictObject({
  tpr: rate,
  fpr: rate,
  advantage: z.number().min(-1).max(1),
  low: z.number().min(-1).max(1),
  high: z.number().min(-1).max(1),
});
export type Advantage = z.infer<typeof Advantage>;

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
    /** Conformal p-values of the members against the group's held-out users; without leakage the median is about one half. */
    conformal: z.strictObject({ smallest: rate, median: rate }).optional(),
    advantage: Advantage.optional(),
    /** AUC of this group that its test, adjusted for the number of groups, would notice with probability 0.8. */
    minimumDetectableAuc: rate.optional(),
  }),
  z.strictObject({
    status: z.literal('not-testable'),
    column: z.string(),
    value: z.string(),
    members: count,
    heldOut: count,
    reason: z.string(),
    /** The group whose test stands for this one. */
    fallback: ParentGroup.optional(),
  }),
]);
export type GroupResult = z.infer<typeof GroupResult>;

/**
 * Audit users that the declared attack accuses first. Each has a conformal p-value against the non-members of the smallest
 * testable group she belongs to, herself left out; all of them are adjusted together (Benjamini-Hochberg).
 */
export const VulnerableUsers = z.strictObject({
  /** Member and held-out users who were tested. */
  tested: count,
  /** Those accused at this false discovery rate, and how many of them did train. */
  falseDiscoveryRate: rate,
  flagged: count,
  flaggedMembers: count,
  /** The users with the smallest p-values, ten at most. */
  users: z.array(
    z.strictObject({
      /** Site and position in its roster, from 0: `north#17`. */
      user: z.string(),
      score: z.number(),
      pValue: rate,
      adjustedPValue: rate,
      flagged: z.boolean(),
      /** For evaluation only. */
      role: z.enum(['member', 'held-out']),
      /** Whose non-members she was compared with. */
      comparedWith: ParentGroup,
      /** Her values of the columns: `sex=female`. */
      groups: z.array(z.string()),
      /** Against the non-members nearest to her in the space of features, where places are known. */
      neighbourPValue: rate.optional(),
    }),
  ),
  /** Members among the hundredth of all tested users with the largest scores, with a Clopper-Pearson 95 % interval. */
  topPercentile: z.strictObject({ users: count, members: count, low: rate, high: rate }),
});
export type VulnerableUsers = z.infer<typeof VulnerableUsers>;

/** Canaries with wrong labels, members against held-out: what the attack finds when a user is easy to find. */
export const MislabelledStratum = AttackResult.extend({
  members: count,
  heldOut: count,
  minimumDetectableAuc: rate,
});
export type MislabelledStratum = z.infer<typeof MislabelledStratum>;

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
  /** Pairs of columns with too many combinations to test, as `sex & ward`. */
  pairsLeftOut: z.array(z.string()).optional(),
  vulnerable: VulnerableUsers.optional(),
  /** Only with such canaries of both roles; all other figures are of ordinary users. */
  mislabelled: MislabelledStratum.optional(),
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
