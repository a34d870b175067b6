import { describe, expect, test } from 'vitest';
import { AuditOptions, auditRound } from '../../../coordinator/audit/audit-round.ts';
import { judge, LeakagePolicy } from '../../../coordinator/audit/leakage-policy.ts';
import type { AuditReport } from '../../../shared/protocol/audit-report.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';
import { evidenceOf } from '../../support/audit-evidence.ts';

const rng = seededRng(Seed.parse(1));
const pause = (): Promise<void> => Promise.resolve();
const audit = await auditRound(evidenceOf(rng, { users: 300 }), AuditOptions.parse({}), { rng, pause });
const measured = audit.report;
const report: AuditReport = {
  ...measured,
  user: {
    attack: 'mean-log-ratio',
    auc: 0.6,
    low: 0.55,
    high: 0.65,
    tprAtFpr: [{ status: 'measured', fpr: 0.01, tpr: 0.05, low: 0.03, high: 0.08, falsePositives: 1 }],
  },
  worstGroup: { column: 'race', value: 'Asian', auc: 0.7, low: 0.58, high: 0.8, pValue: 0.01 },
};
const policyOf = (figure: string, limit: number, action = 'stop'): LeakagePolicy =>
  LeakagePolicy.parse([{ figure, limit, action }]);

describe('judge', () => {
  test.each([
    ['user-auc', 0.55],
    ['worst-group-auc', 0.58],
    ['tpr-at-fpr-0.01', 0.03],
  ])('%s fires when its lower bound passes the limit, not its estimate', (figure, low) => {
    expect(judge(policyOf(figure, low), report)).toEqual({ action: 'go-on', reasons: [] });
    const fired = judge(policyOf(figure, low - 1e-6), report);
    expect(fired.action).toBe('stop');
    expect(fired.reasons).toEqual([expect.stringContaining(`${low} is above the limit`)]);
  });

  test('takes the strictest action and keeps every reason', () => {
    const policy = [
      ...policyOf('user-auc', 0.5, 'warn'),
      ...policyOf('worst-group-auc', 0.5),
      ...policyOf('tpr-at-fpr-0.01', 0.9),
    ];
    expect(judge(policy, report)).toMatchObject({
      action: 'stop',
      reasons: [expect.any(String), expect.any(String)],
    });
    expect(judge(policyOf('user-auc', 0.5, 'warn'), report).action).toBe('warn');
    const back = policyOf('user-auc', 0.5, 'roll-back');
    expect(judge([...back, ...policyOf('user-auc', 0.5, 'warn')], report).action).toBe('roll-back');
    expect(judge([...back, ...policyOf('user-auc', 0.5)], report).action).toBe('stop');
    expect(judge([], report)).toEqual({ action: 'go-on', reasons: [] });
  });

  test.each(['negativeControl', 'positiveControl'] as const)('judges nothing when the %s failed', (which) => {
    const failed = { ...report, [which]: { ...measured[which]!, passed: false } };
    const policy = [...policyOf('user-auc', 0.5), ...policyOf('worst-group-auc', 0.5, 'roll-back')];
    expect(judge(policy, report).action).toBe('stop');
    const kind = which === 'positiveControl' ? 'positive' : 'negative';
    for (const limits of [policy, []])
      expect(judge(limits, failed)).toEqual({
        action: 'warn',
        reasons: [expect.stringMatching(`the ${kind} control failed.*void`)],
      });
  });

  test('names a limit that could not be judged', () => {
    const tooFew: AuditReport = {
      ...report,
      worstGroup: null,
      user: { ...report.user, tprAtFpr: [{ status: 'not-testable', fpr: 0.01, nonMembersNeeded: 100 }] },
    };
    const untested = judge(policyOf('tpr-at-fpr-0.01', 0.1), tooFew);
    expect(untested).toEqual({
      action: 'go-on',
      reasons: [expect.stringContaining('needs 100 held-out users')],
    });
    expect(judge(policyOf('worst-group-auc', 0.1), tooFew).reasons).toEqual([
      expect.stringContaining('no group is testable'),
    ]);
    const undeclared = { ...report, user: { ...report.user, tprAtFpr: [] } };
    expect(judge(policyOf('tpr-at-fpr-0.01', 0.1), undeclared).reasons).toEqual([
      expect.stringContaining('not among'),
    ]);
  });

  test('a failed negative control voids the verdict', () => {
    const void_ = { ...report, negativeControl: { ...report.negativeControl, passed: false } };
    expect(judge(policyOf('user-auc', 0.1), void_)).toEqual({
      action: 'warn',
      reasons: [expect.stringContaining('void')],
    });
  });
});

test('LeakagePolicy refuses unknown figures, limits outside [0, 1] and extra keys', () => {
  for (const limit of [
    { figure: 'auc', limit: 0.5, action: 'warn' },
    { figure: 'user-auc', limit: 1.5, action: 'warn' },
    { figure: 'user-auc', limit: 0.5, action: 'go-back' },
    { figure: 'user-auc', limit: 0.5, action: 'warn', level: 0.9 },
  ])
    expect(LeakagePolicy.safeParse([limit]).success).toBe(false);
});
