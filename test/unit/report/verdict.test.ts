import { describe, expect, test } from 'vitest';
import { verdict } from '../../../scenarios/report/verdict.ts';
import type { GroupResult } from '../../../shared/protocol/audit-report.ts';
import type { RoundReport } from '../../../shared/protocol/report.ts';
import { aReport, someReports } from '../../support/a-report.ts';

function withAudit(change: Partial<RoundReport['audit']>): RoundReport {
  const report = aReport({ round: 49 });
  return { ...report, audit: { ...report.audit, ...change } };
}

function attack(auc: number, low: number, high: number): RoundReport['audit']['user'] {
  return { attack: 'mean log-ratio', auc, low, high, tprAtFpr: [] };
}

const failed = { auc: 0.6, low: 0.55, high: 0.65, passed: false };
const leakingGroup: GroupResult = {
  status: 'tested',
  column: 'race',
  value: 'Asian',
  members: 40,
  heldOut: 40,
  auc: 0.7,
  low: 0.6,
  high: 0.8,
  pValue: 0.004,
  rejected: true,
  tprAtFpr: [],
};

describe('the verdict', () => {
  test('needs a round', () => {
    expect(verdict([])).toMatchObject({ kind: 'no-round', sentences: [] });
  });

  test('is void when the negative control failed, whatever the attack found', () => {
    for (const user of [attack(0.5, 0.45, 0.55), attack(0.8, 0.75, 0.85)])
      expect(verdict([withAudit({ user, negativeControl: failed, groups: [leakingGroup] })]).kind).toBe(
        'void',
      );
  });

  test('is void when the positive control failed, whatever the attack found', () => {
    const missed = { auc: 0.61, low: 0.48, high: 0.73, pValue: 0.09, plantedAuc: 0.75, passed: false };
    for (const user of [attack(0.5, 0.45, 0.55), attack(0.8, 0.75, 0.85), attack(0.3, 0.2, 0.4)]) {
      const { kind, title, sentences } = verdict([
        withAudit({ user, positiveControl: missed, groups: [leakingGroup] }),
      ]);
      expect([kind, title]).toEqual(['void', 'Void: the positive control failed']);
      expect(sentences).toEqual([
        "A leak of AUC 0.750 was put into the scores and not found: the audit gave 0.610 [0.480, 0.730]. No conclusion may be drawn from this round's attack figures.",
      ]);
      const found = { ...missed, passed: true };
      expect(verdict([withAudit({ user, positiveControl: found, groups: [leakingGroup] })]).kind).not.toBe(
        'void',
      );
    }
  });

  test('counts rounds in which either control failed', () => {
    const reports = someReports({}, 3);
    const missed = { auc: 0.61, low: 0.48, high: 0.73, pValue: 0.09, plantedAuc: 0.75, passed: false };
    const [first, second, third] = reports;
    const spoilt = [
      { ...first!, audit: { ...first!.audit, positiveControl: missed } },
      { ...second!, audit: { ...second!.audit, negativeControl: failed } },
      third!,
    ];
    expect(verdict(spoilt).sentences.join(' ')).toContain('A control failed in 2.');
  });

  test('is leakage as soon as the interval lies above chance', () => {
    expect(verdict([withAudit({ user: attack(0.55, 0.501, 0.6) })]).kind).toBe('leaks');
    expect(verdict([withAudit({ user: attack(0.55, 0.5, 0.6) })]).kind).toBe('nothing-found');
  });

  test('is leakage when a subpopulation leaks behind the average', () => {
    const { kind, title, sentences } = verdict([
      withAudit({ user: attack(0.51, 0.47, 0.55), groups: [leakingGroup] }),
    ]);
    expect([kind, title]).toEqual(['leaks', 'Leakage found in a subpopulation']);
    expect(sentences[0]).toBe('race=Asian leaks: AUC 0.700 [0.600, 0.800], adjusted p=0.004.');
  });

  test('distrusts an interval below chance', () => {
    expect(verdict([withAudit({ user: attack(0.4, 0.3, 0.499) })]).kind).toBe('below-chance');
  });

  test('never calls silence a proof, and says what would be missed', () => {
    const { kind, sentences } = verdict([
      withAudit({ user: attack(0.51, 0.47, 0.55), minimumDetectableAuc: 0.571 }),
    ]);
    expect(kind).toBe('nothing-found');
    expect(sentences.join(' ')).toContain('no proof of privacy');
    expect(sentences.join(' ')).toContain(
      'an AUC below 0.571 would be missed more often than one time in five',
    );
  });

  test('judges the last round and counts the others', () => {
    const quiet = withAudit({ user: attack(0.51, 0.47, 0.55) });
    const loud = {
      ...withAudit({ user: attack(0.6, 0.56, 0.64), negativeControl: failed }),
      round: quiet.round,
    };
    const { kind, sentences } = verdict([loud, quiet, quiet]);
    expect(kind).toBe('nothing-found');
    expect(sentences).toContain(
      'Over 3 rounds the interval lay above 0.5 in 1; the largest AUC was 0.600, in round 50. All rounds share the same audit coins: without any leakage about one run in forty shows such intervals, and then in most of its rounds. A control failed in 1.',
    );
  });

  test('repeats why the policy stopped the run', () => {
    const reports = someReports({ rounds: 2 }).map((report) => ({
      ...report,
      policy: { action: 'stop' as const, reasons: ['AUC above 0.6'] },
    }));
    expect(verdict(reports).sentences).toContain('The leakage policy stopped the run: AUC above 0.6.');
  });
});
