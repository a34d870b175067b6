import { describe, expect, test } from 'vitest';
import { roundLine } from '../../../scenarios/report/line.ts';
import { RoundReport } from '../../../shared/protocol/report.ts';
import { aReport } from '../../support/a-report.ts';

/** The round on the first page of the design. */
function designRound(): RoundReport {
  const report = aReport({ round: 11, rounds: 50 });
  const { audit } = report;
  return RoundReport.parse({
    ...report,
    utility: { ...report.utility, metric: 'auc', value: 0.664 },
    epsilon: { coordinator: 1.31, recipients: 0.7, delta: 1e-6, limit: 4 },
    audit: {
      ...audit,
      user: {
        ...audit.user,
        auc: 0.512,
        low: 0.497,
        high: 0.527,
        tprAtFpr: [{ status: 'measured', fpr: 0.01, tpr: 0.012, low: 0.005, high: 0.02, falsePositives: 3 }],
      },
      worstGroup: { column: 'race', value: 'Asian', auc: 0.561, low: 0.48, high: 0.64, pValue: 0.18 },
    },
    seconds: 2.1,
  });
}

const designLine =
  'round 12/50  4/4 sites  test AUC 0.664  eps 1.31/4.00 (d=1e-6)  user-MIA AUC 0.512 [0.497, 0.527]  TPR@1% 1.2%  worst group race=Asian 0.561 p=0.18  2.1 s';

describe('the line of a round', () => {
  test('is the one of the design', () => {
    expect(roundLine(designRound())).toBe(designLine);
  });

  test('carries the stamp of silo-level training, and a record’s epsilon by its name', () => {
    const silo = { stamp: 'not user-level private', defence: 'mist' } as const;
    expect(roundLine(RoundReport.parse({ ...designRound(), silo }))).toContain(
      '  not user-level private (mist)  ',
    );
    const recordLevel = { epsilon: 2.381, rdp: 2.6, delta: 1e-5 };
    const ofRecords = RoundReport.parse({
      ...designRound(),
      silo: { ...silo, defence: 'record-dp-sgd', recordLevel },
    });
    expect(roundLine(ofRecords)).toContain(
      'not user-level private (record-dp-sgd: eps 2.39 of one record, d=1e-5)',
    );
  });

  test('says n/a where nothing could be tested', () => {
    const report = designRound();
    const line = roundLine({
      ...report,
      audit: {
        ...report.audit,
        user: {
          ...report.audit.user,
          tprAtFpr: [{ status: 'not-testable', fpr: 0.01, nonMembersNeeded: 100 }],
        },
        worstGroup: null,
      },
    });
    expect(line).toBe(
      'round 12/50  4/4 sites  test AUC 0.664  eps 1.31/4.00 (d=1e-6)  user-MIA AUC 0.512 [0.497, 0.527]  TPR@1% n/a  worst group n/a  2.1 s',
    );
  });

  test('reads another false-positive rate as no figure at 1 %', () => {
    const report = designRound();
    const [measured] = report.audit.user.tprAtFpr;
    const user = { ...report.audit.user, tprAtFpr: [{ ...measured!, fpr: 0.1 }] };
    expect(roundLine({ ...report, audit: { ...report.audit, user } })).toContain('TPR@1% n/a');
  });

  test.each([
    [{ coordinator: 'infinite' as const, limit: null }, 'eps inf  user-MIA'],
    [{ coordinator: 'infinite' as const, limit: 4 }, 'eps inf/4.00 (d=1e-6)  user-MIA'],
    [{ coordinator: 1.31, limit: null }, 'eps 1.31 (d=1e-6)  user-MIA'],
    [{ coordinator: 1.3101, limit: null }, 'eps 1.32 (d=1e-6)  user-MIA'],
    [{ coordinator: 0, limit: null }, 'eps 0.00 (d=1e-6)  user-MIA'],
  ])('writes epsilon %j', (epsilon, part) => {
    const report = designRound();
    expect(roundLine({ ...report, epsilon: { ...report.epsilon, ...epsilon } })).toContain(part);
  });

  test('shows the clip norm where it adapts', () => {
    const clipping = { clipNorm: 0.31249, fractionWithin: 0.52, nextClipNorm: 0.31 };
    expect(roundLine(RoundReport.parse({ ...designRound(), clipping }))).toBe(
      designLine.replace('  user-MIA', '  clip norm 0.312  user-MIA'),
    );
  });

  test('names accuracy where that is the metric', () => {
    const report = designRound();
    expect(roundLine({ ...report, utility: { ...report.utility, metric: 'accuracy' } })).toContain(
      '  test accuracy 0.664  ',
    );
  });

  test('ends with whatever went wrong', () => {
    const report = designRound();
    const line = roundLine(
      RoundReport.parse({
        ...report,
        sites: {
          asked: ['north', 'south', 'east', 'west'],
          answered: ['north'],
          declined: [
            { site: 'south', code: 'BUDGET_EXCEEDED', detail: 'over' },
            { site: 'east', code: 'POLICY_REFUSED', detail: 'z' },
          ],
          missing: ['west'],
        },
        policy: { action: 'stop', reasons: ['attack AUC above 0.6', 'worst group above 0.7'] },
        audit: { ...report.audit, negativeControl: { auc: 0.6, low: 0.55, high: 0.65, passed: false } },
      }),
    );
    expect(line).toBe(
      `${designLine.replace('4/4', '1/4')}  declined: south (BUDGET_EXCEEDED), east (POLICY_REFUSED)  missing: west  STOP attack AUC above 0.6; worst group above 0.7  CONTROL FAILED`,
    );
  });

  test('warns, with or without a reason', () => {
    const report = designRound();
    const warned = (reasons: string[]) => roundLine({ ...report, policy: { action: 'warn', reasons } });
    expect(warned(['close to the limit'])).toBe(`${designLine}  WARN close to the limit`);
    expect(warned([])).toBe(`${designLine}  WARN`);
  });

  test('rolls back in two words, as the documents say', () => {
    const policy = {
      action: 'roll-back' as const,
      reasons: ['worst group above 0.6', 'attack AUC above 0.55'],
    };
    expect(roundLine({ ...designRound(), policy })).toBe(
      `${designLine}  ROLL BACK worst group above 0.6; attack AUC above 0.55`,
    );
  });

  test('gives the alarm for each view that proves more than was accounted, rounded so that neither side looks better', () => {
    const coordinator = { view: 'coordinator' as const, bound: 3.4199, accounted: 1.3101 };
    const recipients = { view: 'recipients' as const, bound: 2, accounted: 0.7 };
    const alarmed = (alarm: RoundReport['alarm']) => roundLine({ ...designRound(), alarm });
    const first = 'ALARM eps against coordinator is at least 3.41, accounted 1.32';
    expect(alarmed([coordinator])).toBe(`${designLine}  ${first}`);
    expect(alarmed([coordinator, recipients])).toBe(
      `${designLine}  ${first}  ALARM eps against recipients is at least 2.00, accounted 0.70`,
    );
    expect(alarmed([])).toBe(designLine);
  });

  test('names a failed positive control like a failed negative one', () => {
    const report = designRound();
    const control = { auc: 0.6, low: 0.49, high: 0.7, pValue: 0.2, plantedAuc: 0.75, passed: false };
    const audit = { ...report.audit, positiveControl: control };
    expect(roundLine({ ...report, audit })).toBe(`${designLine}  CONTROL FAILED`);
    expect(roundLine({ ...report, audit: { ...audit, positiveControl: { ...control, passed: true } } })).toBe(
      designLine,
    );
  });

  test('lets no name from the data reach the terminal as a control sequence or a second line', () => {
    const report = designRound();
    const worstGroup = { ...report.audit.worstGroup!, value: '\u001b[2Jx\ny\u009b\u202ez\u2028' };
    expect(roundLine({ ...report, audit: { ...report.audit, worstGroup } })).toContain(
      'race=?[2Jx?y??z? 0.561',
    );
  });
});
