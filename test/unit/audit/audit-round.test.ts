import { describe, expect, test } from 'vitest';
import { attackNames } from '../../../coordinator/audit/attacks.ts';
import { AuditOptions, auditRound } from '../../../coordinator/audit/audit-round.ts';
import { AuditReport } from '../../../shared/protocol/audit-report.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { Seed } from '../../../shared/units.ts';
import { evidenceOf } from '../../support/audit-evidence.ts';

const rng = seededRng(Seed.parse(5));
const options = AuditOptions.parse({});
const evidence = evidenceOf(rng.fork('evidence'), { users: 1500, leak: 0.3, columns: [2, 40] });
const report = auditRound(evidence, options, rng.fork('audit'));

describe('auditRound', () => {
  test('fills the schema of the report exactly', () => {
    expect(AuditReport.parse(report)).toEqual(report);
    expect(AuditReport.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
  });

  test('counts the roles, reference users included', () => {
    expect(report.members + report.heldOut + report.reference).toBe(1500);
    expect(report.reference).toBe(300);
  });

  test('puts the declared attack first and every other one beside it', () => {
    expect(report.user.attack).toBe('mean-log-ratio');
    expect([report.user, ...report.attacks].map(({ attack }) => attack).toSorted()).toEqual(
      attackNames.filter((name) => name !== 'neighbour-difference').toSorted(),
    );
    const margin = auditRound(evidence, { ...options, attack: 'margin' }, rng);
    expect(margin.user.attack).toBe('margin');
    expect(margin.user).toEqual(report.attacks.find(({ attack }) => attack === 'margin'));
  });

  test('reports every group, the small ones as not testable', () => {
    const single = report.groups.filter(({ column }) => !column.includes(' & '));
    expect(single).toHaveLength(42);
    expect(new Set(report.groups.map(({ status }) => status))).toEqual(new Set(['tested', 'not-testable']));
    expect(report.worstGroup?.low).toBeLessThan(report.worstGroup?.high ?? 0);
  });

  test('carries its controls and its curve', () => {
    expect(report.negativeControl.passed).toBe(true);
    expect(report.minimumDetectableAuc).toBeLessThan(0.6);
    expect(report.roc[0]).toEqual([0, 0]);
    expect(report.roc.at(-1)).toEqual([1, 1]);
  });

  test('repeats with the same stream', () => {
    expect(auditRound(evidence, options, rng.fork('audit'))).toEqual(report);
  });

  test.each([['member'], ['held-out']] as const)('refuses a population without %s users', (missing) => {
    const roles = evidence.population.roles.map((role) => (role === missing ? 'reference' : role));
    const without = { ...evidence, population: { ...evidence.population, roles } };
    expect(() => auditRound(without, options, rng)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    );
  });

  test('refuses signals that are not numbers', () => {
    const loss = evidence.current.loss.slice().fill(Number.NaN, 0, 2);
    const poisoned = { ...evidence, current: { ...evidence.current, loss } };
    expect(() => auditRound(poisoned, options, rng)).toThrow(expect.objectContaining({ code: 'NON_FINITE' }));
  });

  test('works with one member and one held-out user', () => {
    const roles = evidence.population.roles.map((_, user) =>
      user === 0 ? 'member' : user === 1 ? 'held-out' : 'reference',
    );
    const tiny = auditRound({ ...evidence, population: { ...evidence.population, roles } }, options, rng);
    expect(AuditReport.parse(tiny)).toEqual(tiny);
    expect(tiny).toMatchObject({ members: 1, heldOut: 1, worstGroup: null, minimumDetectableAuc: 1 });
  });
});

test('AuditOptions has the documented defaults', () => {
  expect(options).toEqual({
    attack: 'mean-log-ratio',
    minGroupSize: 20,
    pairs: true,
    multipleTesting: 'holm',
    fprs: [0.01, 0.001],
    level: 0.95,
  });
  expect(AuditOptions.safeParse({ level: 0.9 }).success).toBe(false);
  expect(AuditOptions.safeParse({ fprs: [0] }).success).toBe(false);
});
