import { describe, expect, test } from 'vitest';
import type { AttackResult } from '../../shared/protocol/audit-report.ts';
import type { RoundReport } from '../../shared/protocol/report.ts';
import { simulated } from '../support/simulated.ts';

async function lastReport(name: string): Promise<RoundReport> {
  const last = (await simulated(name, 1)).reports.at(-1);
  if (!last) throw new Error(`${name} finished no round`);
  return last;
}

function attacksOf({ audit }: RoundReport): AttackResult[] {
  return [audit.user, ...audit.attacks];
}

describe('the same patients, model and coins without protection, with RelaxLoss and with user-level privacy', () => {
  test('leaky leaks, RelaxLoss lowers the average, and privacy leaves little to find at the same accuracy', async () => {
    const leaky = await lastReport('leaky');
    const relaxed = await lastReport('relaxloss');
    const protectedRun = await lastReport('user-dp');

    expect(leaky.audit.user.low).toBeGreaterThan(0.75);
    expect(leaky.audit.negativeControl.passed).toBe(true);
    expect(leaky.audit.negativeControl.low).toBeLessThan(0.5);
    expect(leaky.audit.negativeControl.high).toBeGreaterThan(0.5);

    // Every attack: the declared one alone would flatter the defence.
    for (const { high } of attacksOf(relaxed)) expect(high).toBeLessThan(leaky.audit.user.low);
    expect(relaxed.utility.accuracy).toBeGreaterThan(leaky.utility.accuracy - 0.02);
    expect(relaxed.epsilon.coordinator).toBe('infinite');

    expect(protectedRun.epsilon.coordinator).toBeLessThanOrEqual(3);
    for (const { low } of attacksOf(protectedRun)) expect(low).toBeLessThan(0.55);
    expect(protectedRun.audit.user.high).toBeLessThan(leaky.audit.user.low);
    expect(protectedRun.utility.accuracy).toBeGreaterThan(leaky.utility.accuracy - 0.02);

    // The coins depend on the seed alone: the three audits compare the same users.
    expect(relaxed.audit.members).toBe(leaky.audit.members);
    expect(protectedRun.audit.members).toBe(leaky.audit.members);
  });
});
