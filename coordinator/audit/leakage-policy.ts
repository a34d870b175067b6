import { z } from 'zod';
import { assertNever } from '../../shared/errors.ts';
import type { AuditReport } from '../../shared/protocol/audit-report.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';

/**
 * Limits on what an audit may find, and what happens when one is passed. The policy sees the audit report only: audit
 * users are outside the promise, so acting on them leaves the accounting of everybody else as it is.
 */
const LeakageLimit = z.strictObject({
  figure: z.enum(['user-auc', 'worst-group-auc', 'tpr-at-fpr-0.01']),
  /** Passed when the lower confidence bound of the figure is above it. */
  limit: z.number().min(0).max(1),
  /** `roll-back`: go on from the last model within all its limits. */
  action: z.enum(['warn', 'roll-back', 'stop']),
});
type LeakageLimit = z.infer<typeof LeakageLimit>;

/** The limits of a run; an empty list never stops it. */
export const LeakagePolicy = z.array(LeakageLimit);
export type LeakagePolicy = z.infer<typeof LeakagePolicy>;

/**
 * What the policy says after a round: the strictest action of the limits that were passed, with every reason. A limit on a
 * figure that could not be measured is named among the reasons. A failed control voids the verdict: the action is
 * `warn`, and no limit is judged on figures that cannot be trusted.
 */
export function judge(policy: LeakagePolicy, report: AuditReport): RoundReport['policy'] {
  if (!report.negativeControl.passed)
    return {
      action: 'warn',
      reasons: [
        'the negative control failed: permuted labels do not look like chance, so the verdict of this audit is void',
      ],
    };
  if (report.positiveControl?.passed === false)
    return {
      action: 'warn',
      reasons: [
        'the positive control failed: a leak that was put into the scores was not found, so the verdict of this audit is void',
      ],
    };
  const verdicts = policy.map((limit) => verdictOn(limit, boundOf(limit.figure, report)));
  const actions = verdicts.map(({ action }) => action);
  return {
    action: strictness.find((action) => actions.includes(action)) ?? 'go-on',
    reasons: verdicts.flatMap(({ reason }) => (reason === '' ? [] : [reason])),
  };
}

const strictness = ['stop', 'roll-back', 'warn'] as const;

interface Bound {
  readonly name: string;
  /** Lower confidence bound, or why there is none. */
  readonly low: number | string;
}

interface Verdict {
  readonly action: RoundReport['policy']['action'];
  readonly reason: string;
}

function verdictOn({ limit, action }: LeakageLimit, { name, low }: Bound): Verdict {
  if (typeof low === 'string')
    return { action: 'go-on', reason: `${name}: limit ${limit} not judged, ${low}` };
  if (low <= limit) return { action: 'go-on', reason: '' };
  return { action, reason: `${name}: lower confidence bound ${low} is above the limit ${limit}` };
}

function boundOf(figure: LeakageLimit['figure'], report: AuditReport): Bound {
  switch (figure) {
    case 'user-auc':
      return { name: `AUC of ${report.user.attack}`, low: report.user.low };
    case 'worst-group-auc': {
      const worst = report.worstGroup;
      if (worst === null) return { name: 'AUC of the worst group', low: 'no group is testable' };
      return { name: `AUC of ${worst.column}=${worst.value}`, low: worst.low };
    }
    case 'tpr-at-fpr-0.01':
      return { name: `TPR at FPR 0.01 of ${report.user.attack}`, low: tprBound(report, 0.01) };
    default:
      return assertNever(figure);
  }
}

function tprBound({ user }: AuditReport, fpr: number): Bound['low'] {
  const measured = user.tprAtFpr.find((rate) => rate.fpr === fpr);
  if (measured === undefined) return `${fpr} is not among the audit's fprs`;
  if (measured.status === 'not-testable') return `it needs ${measured.nonMembersNeeded} held-out users`;
  return measured.low;
}
