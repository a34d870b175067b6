import { describe, expect, test } from 'vitest';
import { mirroredEpsilon } from '../../../coordinator/mirror.ts';
import { ProtectionConfig, promised } from '../../../coordinator/protection.ts';
import { reportedEpsilon } from '../../../shared/privacy/accounting/accountants.ts';
import { participationRate, plannedEvent } from '../../../shared/protocol/plan.ts';
import { Delta, SiteId } from '../../../shared/units.ts';

const delta = Delta.parse(1e-6);
const site = (name: string): SiteId => SiteId.parse(name);
const config = (change: Record<string, unknown>): ProtectionConfig =>
  ProtectionConfig.parse({ type: 'user-dp-banded', clipNorm: 1, minSeparation: 8, delta, ...change });

describe('a run under a banded matrix', () => {
  test.each([
    [20, 8, undefined, 2],
    [20, 1, 1, 4],
    [100, 25, 10, 0.5],
  ])(
    '%i rounds, separation %i: the solved noise keeps epsilon, and uses it up',
    (rounds, minSeparation, bands, epsilon) => {
      const protection = promised(config({ minSeparation, ...(bands && { bands }), epsilon }), rounds);
      const spent = reportedEpsilon([{ event: plannedEvent(protection), count: 1 }], delta);
      expect(spent).toBeLessThanOrEqual(epsilon);
      expect(spent).toBeGreaterThan(0.999 * epsilon);
      expect(participationRate(protection)).toBe(1 / minSeparation);
    },
  );

  test.each([
    [{}, 'give either noiseMultiplier or epsilon'],
    [{ noiseMultiplier: 1, epsilon: 1 }, 'give either noiseMultiplier or epsilon'],
    [{ noiseMultiplier: 1, bands: 9 }, 'bands must be at most minSeparation'],
  ])('refuses %j', (change, message) => {
    expect(() => config(change)).toThrow(message);
  });

  test('costs the same after every round, and less against recipients only while the same sites stay', () => {
    const protection = promised(config({ epsilon: 2 }), 20);
    const all = ['a', 'b', 'c', 'd'].map(site);
    const round = (answered: readonly SiteId[]) => ({
      ...{ asked: [...all], answered: [...answered], declined: [] },
      missing: all.filter((one) => !answered.includes(one)),
    });
    const steady = Array.from({ length: 5 }, () => round(all));
    const first = mirroredEpsilon(steady.slice(0, 1), protection, 1);
    expect(mirroredEpsilon(steady, protection, 1)).toEqual(first);
    expect(first.coordinator).toBeLessThanOrEqual(2);
    expect(Number(first.recipients)).toBeLessThan(Number(first.coordinator) / 1.5);
    const changing = [round(all.slice(0, 2)), round(all.slice(1, 3)), round(all.slice(2))];
    const { recipients, coordinator } = mirroredEpsilon(changing, protection, 1);
    expect(recipients).toBe(coordinator);
  });
});
