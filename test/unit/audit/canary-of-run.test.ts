import { describe, expect, test } from 'vitest';
import { canaryOfRun } from '../../../coordinator/audit/canaries/canary-of-run.ts';
import { CanaryScores } from '../../../coordinator/audit/canaries/scores.ts';

const aLine = (change: Partial<Record<keyof CanaryScores, unknown>>): CanaryScores =>
  CanaryScores.parse({
    ...{ round: 0, site: 'east', coins: [0, 1], rate: 0.5, shift: 0.8, sites: 4 },
    ...{ coordinator: [1.5, -9], recipients: [0.3, 9] },
    ...change,
  });

/** log(1 - q + q e^(s x - s^2 / 2)), written out. */
const logRatio = (score: number, shift: number, rate: number): number =>
  Math.log(1 - rate + rate * Math.exp(shift * score - (shift * shift) / 2));

describe('the canary that stands for a run', () => {
  test('is the first of the first site by name, scored by its likelihood ratio over all its rounds in both views', () => {
    const history = [
      aLine({ site: 'north', coins: [1], coordinator: [50], recipients: [50] }),
      aLine({}),
      aLine({ round: 1, coordinator: [-0.5, 9], recipients: [2, 9] }),
    ];
    const { coordinator, recipients } = canaryOfRun(history)!;
    expect(coordinator.score).toBeCloseTo(logRatio(1.5, 0.8, 0.5) + logRatio(-0.5, 0.8, 0.5), 12);
    // The sum over four sites has twice the noise.
    expect(recipients.score).toBeCloseTo(logRatio(0.3, 0.4, 0.5) + logRatio(2, 0.4, 0.5), 12);
    expect([coordinator.isMember, recipients.isMember]).toEqual([true, true]);
    expect(canaryOfRun([...history].reverse())).toEqual({ coordinator, recipients });
  });

  test('depends neither on the other canaries nor on which of them trained', () => {
    const other = aLine({ coins: [0, 0], coordinator: [1.5, 77], recipients: [0.3, -77] });
    expect(canaryOfRun([other])).toEqual(canaryOfRun([aLine({})]));
    expect(canaryOfRun([aLine({ coins: [1, 0] })])!.coordinator.isMember).toBe(false);
  });

  test('is nobody where no site has canaries', () => {
    expect(canaryOfRun([])).toBeUndefined();
    expect(canaryOfRun([aLine({ coins: [], coordinator: [], recipients: [] })])).toBeUndefined();
  });
});
