import { describe, expect, test } from 'vitest';
import { attackNames } from '../../../coordinator/audit/attacks.ts';
import { AuditOptions, auditRound } from '../../../coordinator/audit/audit-round.ts';
import { scoresByRole } from '../../../coordinator/audit/population.ts';
import { AuditReport } from '../../../shared/protocol/audit-report.ts';
import { isSignable } from '../../../shared/protocol/signed.ts';
import { seededRng } from '../../../shared/random/rng.ts';
import { auc } from '../../../shared/stats/roc.ts';
import { Seed } from '../../../shared/units.ts';
import { evidenceOf } from '../../support/audit-evidence.ts';

const rng = seededRng(Seed.parse(5));
const options = AuditOptions.parse({});
const evidence = evidenceOf(rng.fork('evidence'), { users: 1500, leak: 0.3, columns: [2, 40] });
const pause = (): Promise<void> => Promise.resolve();
const means = { rng, pause };
const { report, scores } = await auditRound(evidence, options, { rng: rng.fork('audit'), pause });

describe('auditRound', () => {
  test('fills the schema of the report exactly', () => {
    expect(AuditReport.parse(report)).toEqual(report);
    expect(AuditReport.parse(JSON.parse(JSON.stringify(report)))).toEqual(report);
  });

  test('counts the roles, reference users included', () => {
    expect(report.members + report.heldOut + report.reference).toBe(1500);
    expect(report.reference).toBe(300);
  });

  test('puts the declared attack first and every other one beside it', async () => {
    expect(report.user.attack).toBe('mean-log-ratio');
    expect([report.user, ...report.attacks].map(({ attack }) => attack).toSorted()).toEqual(
      attackNames.toSorted(),
    );
    expect(report.notMeasured).toEqual([]);
    const { report: margin } = await auditRound(evidence, { ...options, attack: 'margin' }, means);
    expect(margin.user.attack).toBe('margin');
    expect(margin.user).toEqual(report.attacks.find(({ attack }) => attack === 'margin'));
  });

  test('reports every group, the small ones as not testable', () => {
    const single = report.groups.filter(({ column }) => !column.includes(' & '));
    expect(single).toHaveLength(42);
    expect(new Set(report.groups.map(({ status }) => status))).toEqual(new Set(['tested', 'not-testable']));
    expect(report.worstGroup?.low).toBeLessThan(report.worstGroup?.high ?? 0);
  });

  test('says nothing of values that nobody has, and so stays short enough to be signed', async () => {
    const columns = Array.from({ length: 6 }, () => 1000);
    const sparse = evidenceOf(rng.fork('sparse'), { users: 400, columns });
    const { report: short } = await auditRound(sparse, { ...options, attacks: [] }, means);
    expect(short.groups.length).toBeGreaterThan(1000);
    expect(short.groups.filter(({ members, heldOut }) => members + heldOut === 0)).toEqual([]);
    expect(isSignable(short)).toBe(true);
    const all = Array.from({ length: 6000 }, (_, index) => ({ ...short.groups[0], value: `value ${index}` }));
    expect(isSignable({ ...short, groups: all })).toBe(false);
  });

  test('carries its controls and its curve', () => {
    expect(report.negativeControl.passed).toBe(true);
    expect(report.positiveControl).toMatchObject({ passed: true });
    expect(report.minimumDetectableAuc).toBeLessThan(0.6);
    expect(report.roc[0]).toEqual([0, 0]);
    expect(report.roc.at(-1)).toEqual([1, 1]);
  });

  test('keeps the scores that its figures come from', () => {
    const { members, heldOut } = scoresByRole(evidence.population, scores.measured.get('margin')!);
    expect(auc(members, heldOut)).toBe(report.attacks.find(({ attack }) => attack === 'margin')?.auc);
  });

  test('combines the attacks on the half that it was not trained on', () => {
    const { combined } = report;
    expect(combined!.evaluatedOn.members).toBe(report.members - Math.floor(report.members / 2));
    expect(combined!.evaluatedOn.heldOut).toBe(report.heldOut - Math.floor(report.heldOut / 2));
    expect(combined!.auc).toBeGreaterThan(0.55);
  });

  test('lists what it cannot measure, and refuses it as the declared attack', async () => {
    const { embedding, ...current } = evidence.current;
    const without = { ...evidence, current, references: [] };
    const { report: less } = await auditRound(without, options, means);
    const names = less.notMeasured.map(({ attack }) => attack);
    expect(embedding).toBeDefined();
    expect(names.filter((name) => name.startsWith('embedding-'))).toHaveLength(5);
    expect(names.filter((name) => name.includes('-reference-'))).toHaveLength(6);
    expect(less.attacks.some(({ attack }) => names.includes(attack))).toBe(false);
    const declared = auditRound(without, { ...options, attack: 'embedding-pair' }, means);
    await expect(declared).rejects.toThrow(
      /embedding-pair cannot be measured: the model has no hidden layer/,
    );
  });

  test('runs only the attacks that are named, the declared one always, with the same figures', async () => {
    const { report: few } = await auditRound(evidence, { ...options, attacks: ['margin'] }, means);
    expect(few.user).toEqual(report.user);
    expect(few.attacks).toEqual(report.attacks.filter(({ attack }) => attack === 'margin'));
    expect(few.notMeasured).toHaveLength(attackNames.length - 2);
    const { report: declared } = await auditRound(evidence, { ...options, attacks: [] }, means);
    expect([declared.user, declared.attacks]).toEqual([report.user, []]);
    expect(AuditReport.parse(declared)).toEqual(declared);
  });

  test('repeats with the same stream', async () => {
    const again = await auditRound(evidence, options, { rng: rng.fork('audit'), pause });
    expect(again.report).toEqual(report);
  });

  test.each([['member'], ['held-out']] as const)('refuses a population without %s users', async (missing) => {
    const roles = evidence.population.roles.map((role) => (role === missing ? 'reference' : role));
    const without = { ...evidence, population: { ...evidence.population, roles } };
    await expect(auditRound(without, options, means)).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('refuses signals that are not numbers', async () => {
    const loss = evidence.current.loss.slice().fill(Number.NaN, 0, 2);
    const poisoned = { ...evidence, current: { ...evidence.current, loss } };
    await expect(auditRound(poisoned, options, means)).rejects.toMatchObject({ code: 'NON_FINITE' });
  });

  test('works with one member and one held-out user', async () => {
    const roles = evidence.population.roles.map((_, user) =>
      user === 0 ? 'member' : user === 1 ? 'held-out' : 'reference',
    );
    const population = { ...evidence.population, roles };
    const { report: tiny } = await auditRound({ ...evidence, population }, options, means);
    expect(AuditReport.parse(tiny)).toEqual(tiny);
    expect(tiny).toMatchObject({ members: 1, heldOut: 1, worstGroup: null, minimumDetectableAuc: 1 });
  });
});

test('AuditOptions has the documented defaults', () => {
  expect(options).toEqual({
    attack: 'mean-log-ratio',
    attacks: 'all',
    minGroupSize: 20,
    pairs: true,
    multipleTesting: 'holm',
    fprs: [0.01, 0.001],
    referenceModels: [],
    level: 0.95,
    oneRun: { guessesPerSide: 'most', confidence: 0.95 },
  });
  expect(AuditOptions.safeParse({ level: 0.9 }).success).toBe(false);
  expect(AuditOptions.safeParse({ fprs: [0] }).success).toBe(false);
});
