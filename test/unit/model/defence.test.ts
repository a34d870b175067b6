import { describe, expect, test } from 'vitest';
import {
  Defence,
  defenceClass,
  defencesIn,
  defenceTypes,
  type SingleDefence,
} from '../../../shared/model/defence.ts';
import { objectiveOf } from '../../../shared/model/objective.ts';

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
