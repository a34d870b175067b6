import { describe, expect, test } from 'vitest';
import type { Scenario } from '../../scenarios/scenario.ts';
import { simulated } from '../support/simulated.ts';

const perSite = 50;

/** Two of the leaky federation's hospitals, for twelve of its rounds, with canaries. */
function withCanaries(mislabelled: number): (scenario: Scenario) => Scenario {
  return ({ federation, data, sites, ...scenario }) => ({
    ...scenario,
    federation: { ...federation, rounds: 12 },
    data: data.type === 'synthetic-hospitals' ? { ...data, sites: 2 } : data,
    sites: {
      ...sites,
      audit: {
        ...sites.audit,
        referenceFraction: 0.2,
        places: true,
        canaries: { directions: 0, mislabelled },
      },
    },
  });
}

describe('canaries with wrong labels in a federation that learns its patients by heart', () => {
  test('are found more easily than people, and are no people in any other figure', async () => {
    const { manifest, reports } = await simulated('leaky', 1, withCanaries(perSite));
    const without = await simulated('leaky', 1, withCanaries(0));
    const last = reports.at(-1)!;
    const other = without.reports.at(-1)!;

    const stratum = last.audit.mislabelled!;
    expect(stratum.members + stratum.heldOut).toBe(2 * perSite);
    expect(stratum.low).toBeGreaterThan(0.6);
    expect(stratum.auc).toBeGreaterThan(last.audit.user.auc);
    expect(other.audit).not.toHaveProperty('mislabelled');

    // The same people with the same coins, whether there are canaries or not.
    expect(manifest.sites).toEqual(without.manifest.sites);
    expect(last.audit.members).toBe(other.audit.members);
    expect(last.utility.heldOutRecords).toBe(other.utility.heldOutRecords);
    expect(manifest.sites.map(({ declaredUsers }) => declaredUsers)).toEqual(
      manifest.sites.map(({ members }) => members),
    );
    expect(last.audit.vulnerable!.tested).toBe(last.audit.members + last.audit.heldOut);

    // But they train.
    expect(last.modelSha256).not.toBe(other.modelSha256);

    // Pairs and neighbourhoods are among the groups, and whatever is too small says what stands for it.
    const columns = new Set(last.audit.groups.map(({ column }) => column));
    expect([...columns]).toEqual(
      expect.arrayContaining(['site', 'neighbourhood', 'site & sex', 'sex & ward']),
    );
    const named = ({ column, value }: { column: string; value: string }) => `${column}=${value}`;
    const tested = last.audit.groups.filter(({ status }) => status === 'tested').map(named);
    for (const group of last.audit.groups)
      if (group.status === 'not-testable' && group.fallback !== 'all users')
        expect(tested).toContain(named(group.fallback!));
    expect(last.audit.attacks.map(({ attack }) => attack)).toContain('neighbour-difference');
  });
});
