import { describe, expect, test } from 'vitest';
import {
  Defence,
  defenceClass,
  defencesIn,
  defenceTypes,
  type SingleDefence,
} from '../../../shared/model/defence.ts';
import { LocalPlan } from '../../../shared/model/local-trainer.ts';
import { objectiveOf } from '../../../shared/model/objective.ts';
import { siloTypes } from '../../../shared/model/silo/silo-defence.ts';

const parts = {
  relaxloss: { type: 'relaxloss', alpha: 1 },
  'label-smoothing': { type: 'label-smoothing' },
  'confidence-penalty': { type: 'confidence-penalty' },
  hamp: { type: 'hamp' },
  dropout: { type: 'dropout', rate: 0.5 },
  mixup: { type: 'mixup' },
  'input-noise': { type: 'input-noise', stdDev: 1 },
  'representation-noise': { type: 'representation-noise', stdDev: 1 },
  none: { type: 'none' },
};

function combined(...types: (keyof typeof parts)[]) {
  return Defence.safeParse({ type: 'combined', defences: types.map((type) => parts[type]) });
}

test('each defence is one by itself, and its update stays that of one user', () => {
  expect(Object.keys(parts).sort()).toEqual([...defenceTypes].sort());
  for (const type of defenceTypes) {
    const defence = Defence.parse(parts[type]);
    expect(defencesIn(defence)).toEqual(type === 'none' ? [] : [defence]);
    expect(defenceClass(type)).toBe('per-user');
  }
});

describe('a combination', () => {
  test.each([
    ['relaxloss', 'dropout'],
    ['relaxloss', 'input-noise'],
    ['relaxloss', 'representation-noise'],
    ['label-smoothing', 'confidence-penalty'],
    ['hamp', 'mixup'],
    ['mixup', 'dropout'],
  ] as const)('of %s and %s is taken', (...types) => {
    const { data } = combined(...types);
    expect(data && defencesIn(data).map(({ type }) => type)).toEqual(types);
  });

  test.each([
    [['relaxloss', 'label-smoothing'], 'alpha is a value of the plain cross-entropy'],
    [['confidence-penalty', 'relaxloss'], 'alpha is a value of the plain cross-entropy'],
    [['hamp', 'dropout', 'relaxloss'], 'alpha is a value of the plain cross-entropy'],
    [['mixup', 'relaxloss'], 'flattening needs one true class'],
    [['hamp', 'label-smoothing'], 'both set the labels'],
    [['hamp', 'confidence-penalty'], 'both weigh the entropy'],
    [['dropout', 'dropout'], 'dropout is there twice'],
    [['none', 'dropout'], 'none is no defence to combine with'],
  ] as const)('of %j is refused with the reason', (types, reason) => {
    const { success, error } = combined(...types);
    expect(success).toBe(false);
    expect(error?.issues[0]).toMatchObject({ path: ['defences'] });
    expect(error?.issues[0]?.message).toContain(reason);
  });

  test('of one is no combination', () => {
    expect(combined('dropout').success).toBe(false);
  });

  test('of RelaxLoss and dropout keeps the phases of RelaxLoss', () => {
    const { data } = combined('dropout', 'relaxloss');
    const phaseOf = (round: number): unknown => data && objectiveOf(data, { round, epoch: 0, numClasses: 2 });
    expect(phaseOf(0)).toMatchObject({ type: 'relaxloss', phase: 'approach' });
    expect(phaseOf(1)).toMatchObject({ type: 'relaxloss', phase: 'flatten' });
  });
});

describe('training on all users together', () => {
  const planned = (silo: unknown, defence: unknown = { type: 'none' }) =>
    LocalPlan.safeParse({ epochs: 1, batchSize: 'all', learningRate: 1, silo, defence });
  const recordDp = {
    ...{ type: 'record-dp-sgd', clipNorm: 1, noiseMultiplier: 1, samplingRate: 0.1, steps: 5 },
    ...{ recordsPerStep: 20, delta: 1e-5 },
  };

  test('is silo-level, whichever defence it is, and has the defaults of the papers where there are any', () => {
    expect(siloTypes.map(defenceClass)).toEqual(siloTypes.map(() => 'silo-level'));
    expect(planned({ type: 'selena' }).data?.silo).toMatchObject({ submodels: 25, nonMemberOf: 10 });
    expect(planned({ type: 'representation-alignment' }).data?.silo).toMatchObject({ bandwidth: 'median' });
    for (const type of siloTypes)
      expect(planned(type === 'record-dp-sgd' ? recordDp : { type }).success).toBe(true);
  });

  test.each(['label-smoothing', 'confidence-penalty', 'hamp'] as const)('takes the loss of %s', (type) => {
    expect(planned(recordDp, parts[type]).success).toBe(true);
  });

  test.each(['relaxloss', 'dropout', 'mixup', 'input-noise'] as const)(
    'refuses %s with the reason',
    (type) => {
      const both = { type: 'combined', defences: [parts[type], parts.hamp] };
      for (const defence of type === 'relaxloss' ? [parts[type]] : [parts[type], both]) {
        const { error } = planned({ type: 'mist' }, defence);
        expect(error?.issues[0]?.message).toContain(
          `mist and ${type} do not combine: ${type} is about the steps of one user`,
        );
      }
    },
  );

  test.each([
    { type: 'mist', groups: 1 },
    { type: 'mist', weight: -1 },
    { type: 'selena', submodels: 5 },
    { type: 'selena', submodels: 4, nonMemberOf: 4 },
    { type: 'distillation', keep: 0 },
    { type: 'adversarial', attackSteps: 0 },
    { type: 'alignment', bandwidth: 0 },
    { type: 'alignment', bandwidth: 'median' },
    { type: 'representation-alignment', bandwidth: 'mean' },
    { ...recordDp, samplingRate: 0 },
    { type: 'record-dp-sgd' },
    { type: 'relaxloss', alpha: 1 },
  ])('refuses %j', (silo) => {
    expect(planned(silo).success).toBe(false);
  });
});

test('parameters outside their range are refused', () => {
  const wrong: readonly Partial<Record<keyof SingleDefence, unknown> & Record<string, unknown>>[] = [
    { type: 'label-smoothing', smoothing: 1 },
    { type: 'confidence-penalty', entropyWeight: 0 },
    { type: 'hamp', entropyShare: 1 },
    { type: 'dropout', rate: 1 },
    { type: 'dropout' },
    { type: 'mixup', concentration: 2 },
    { type: 'input-noise', stdDev: 0 },
    { type: 'representation-noise' },
    { type: 'selena' },
  ];
  for (const defence of wrong) expect(Defence.safeParse(defence).success).toBe(false);
});
