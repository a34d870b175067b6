import { describe, expect, test } from 'vitest';
import { accountants } from '../../../../shared/privacy/accounting/accountants.ts';
import { planEntries, quantities, solve } from '../../../../shared/privacy/accounting/solve.ts';
import { Delta, Epsilon, NoiseMultiplier, SamplingRate } from '../../../../shared/units.ts';

describe('solve', () => {
  const plan = {
    noiseMultiplier: NoiseMultiplier.parse(1),
    samplingRate: SamplingRate.parse(0.01),
    rounds: 1000,
    epsilon: Epsilon.parse(1.9),
    delta: Delta.parse(1e-5),
  };

  test.each(quantities)('%s from the others: the plan then stays within epsilon, and near it', (quantity) => {
    const asked = { ...plan, [quantity]: undefined };
    const answer = solve(asked);
    expect(answer).toEqual({ ...plan, [quantity]: answer[quantity], solved: quantity });
    const cost = accountants.pld.epsilon(planEntries(answer), answer.delta);
    expect(cost).toBeLessThanOrEqual(answer.epsilon);
    expect(cost).toBeGreaterThanOrEqual(0.999 * answer.epsilon);
  });

  test('refuses a plan that lacks more than one quantity, or none, and says which', () => {
    const two = {
      ...plan,
      ...Object.fromEntries([
        ['epsilon', undefined],
        ['delta', undefined],
      ]),
    };
    for (const [asked, named] of [
      [two, /epsilon, delta is missing/],
      [plan, /none is missing/],
      [{}, /noiseMultiplier, samplingRate, rounds, epsilon, delta is missing/],
    ] as const)
      expect(() => solve(asked)).toThrow(
        expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(named) as string }),
      );
  });

  test('refuses where not one round fits', () => {
    const strict = { ...plan, epsilon: Epsilon.parse(1e-6), delta: Delta.parse(1e-9) };
    expect(() => solve({ ...strict, ...Object.fromEntries([['rounds', undefined]]) })).toThrow(
      expect.objectContaining({ code: 'CALIBRATION_IMPOSSIBLE' }),
    );
  });
});
