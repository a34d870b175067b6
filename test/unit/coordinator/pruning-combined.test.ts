import { describe, expect, test } from 'vitest';
import { protectionOf } from '../../../coordinator/config.ts';
import { Plan } from '../../../shared/protocol/plan.ts';
import { aFederationConfig, publicShard, runTiny } from '../../support/a-run.ts';
import { withPlans } from '../../support/heard-plans.ts';
import { aPruningRun, expectZeroWhere, model, opened, params, steps } from './pruned-run.ts';

describe('a run that prunes', () => {
  test('is rolled back to an earlier version with the mask of that version', async () => {
    const leakage = [{ figure: 'user-auc', limit: 0, action: 'roll-back' }];
    const plans = new Map<number, Plan>();
    const run = aPruningRun({ leakage, maxRollBacks: 1, rounds: 4 });
    const { reports } = await runTiny({ ...run, between: withPlans(plans) });
    expect(reports[0]?.pruning?.step?.pruned).toBe(18);
    expect(reports[0]?.rolledBackTo?.version).toBe(0);
    expect(plans.get(1)?.mask).toBeUndefined();
    expect(plans.get(1)?.model.sha256).toBe(plans.get(0)?.model.sha256);
    expect(reports[1]?.pruning).toMatchObject({ kept: params, sparsity: 0 });
  });

  test('prunes the average that it hands over too', async () => {
    const run = aPruningRun({ averaging: { decay: 0.5 }, rounds: 4 });
    const { reports } = await runTiny(run);
    const { flags, parameters, close } = await opened(run);
    for (const report of reports) {
      expectZeroWhere(flags(report), parameters(report.modelSha256));
      expectZeroWhere(flags(report), parameters(report.iterateSha256!));
      expect(report.modelSha256 === report.iterateSha256).toBe(report.round === 0);
    }
    await close();
  });
});

test('prunes the student that it hands over too, which does not grow back', async () => {
  const run = aPruningRun({ distillation: { learningRate: 0.5 }, rounds: 4 });
  const { reports } = await runTiny({ ...run, publicShard });
  const { flags, parameters, close } = await opened(run);
  for (const report of reports) expectZeroWhere(flags(report), parameters(report.modelSha256));
  expect(reports.at(-1)?.pruning?.sparsity).toBeGreaterThan(0.3);
  await close();
});

describe('pruning that would break a promise or do nothing is refused with the reason', () => {
  const banded = { type: 'user-dp-banded', clipNorm: 0.5, minSeparation: 2, delta: 1e-5, noiseMultiplier: 2 };
  test.each([
    [{ pruning: { steps }, protection: banded }, 'its noise is correlated over rounds'],
    [{ pruning: { steps: { ...steps, recoveryRounds: 5 } } }, 'no step would be taken'],
    [{ pruning: { steps, initialShare: 0.9 } }, 'no step would be taken'],
    [{ pruning: { steps, outputLayer: false }, model: { ...model, layers: [] } }, 'has nothing to prune'],
  ])('%j', (change, reason) => {
    const config = aFederationConfig({ model, rounds: 5, ...change });
    expect(() => protectionOf(config)).toThrow(reason);
  });

  test('and so is a plan with a mask under correlated noise, at the site', async () => {
    const plans = new Map<number, Plan>();
    await runTiny({
      ...aPruningRun({ protection: banded, pruning: undefined, rounds: 2 }),
      between: withPlans(plans),
    });
    const mask = { sha256: '0'.repeat(64), sizeBytes: 100, kept: 5 };
    expect(Plan.safeParse({ ...plans.get(0), mask }).error?.issues[0]?.message).toContain(
      'correlated over rounds takes no mask',
    );
  });

  test('a schedule without steps or share is none', () => {
    expect(() => aFederationConfig({ pruning: {} })).toThrow('nothing is ever pruned');
  });
});
