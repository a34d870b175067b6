import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { assertWithinBudget, budgetStates } from '../../../client/budget.ts';
import { openLedger, type SiteLedger } from '../../../client/ledger.ts';
import type { SitePolicy } from '../../../client/policy.ts';
import { sha256 } from '../../../shared/crypto/encoding.ts';
import { ParleyError } from '../../../shared/errors.ts';
import { reportedEpsilon } from '../../../shared/privacy/accounting/accountants.ts';
import {
  type LedgerEntry,
  MechanismEvent,
  withNoiseTimes,
} from '../../../shared/privacy/accounting/event.ts';
import { RoundIndex, RunId } from '../../../shared/units.ts';
import { aPlan, aPolicy, run, userDp } from '../../support/a-site.ts';
import { temporaryFolder } from '../../support/temporary.ts';

const dayMs = 86_400_000;
const gaussian = MechanismEvent.parse({ type: 'gaussian', noiseMultiplier: 4 });
const matrix = { coefficients: [1, 0.5], rounds: 3, minSeparation: 2, maxParticipations: 2 };
const first = MechanismEvent.parse({ type: 'banded-matrix', noiseMultiplier: 5, matrix });
const step = MechanismEvent.parse({ type: 'banded-matrix-step', noiseMultiplier: 5, matrix });
const { delta } = aPolicy();

function cost(count: number, event = gaussian): number {
  return reportedEpsilon([{ event, count }], delta);
}

interface Clocked {
  readonly ledger: SiteLedger;
  readonly at: (days: number) => void;
  readonly spend: (event?: MechanismEvent, inRun?: string) => Promise<void>;
}

/** A ledger whose clock is set in days. */
async function clocked(): Promise<Clocked> {
  let nowMs = 1000 * dayMs;
  const ledger = await openLedger(join(temporaryFolder(), 'ledger.sqlite'), { clock: () => nowMs });
  onTestFinished(() => ledger.close());
  let round = 0;
  return {
    ledger,
    at: (days) => {
      nowMs = (1000 + days) * dayMs;
    },
    spend: async (event = gaussian, inRun = run) => {
      const bytes = Uint8Array.of(round);
      const [named, planSha256] = [RunId.parse(inRun), sha256('plan')];
      await ledger.commit({ run: named, round: RoundIndex.parse(round++), planSha256, event, bytes });
    },
  };
}

/** Whether a round of the Gaussian plan is let in; the refusal when it is not. */
function asked(ledger: SiteLedger, policy: SitePolicy, event = gaussian): string | undefined {
  const plan = aPlan({ round: 4, protection: userDp({ noiseMultiplier: 4, samplingRate: 1 }) });
  try {
    assertWithinBudget({ plan, event, ledger, policy });
    return undefined;
  } catch (error) {
    if (!(error instanceof ParleyError) || error.code !== 'BUDGET_EXCEEDED') throw error;
    return error.message;
  }
}

describe('the budget in total', () => {
  test('a round that brings the site exactly to its limit is let in, and the next one is not', async () => {
    const { ledger, spend } = await clocked();
    const policy = aPolicy({ maxEpsilon: cost(3) });
    for (let round = 0; round < 3; round++) {
      expect(asked(ledger, policy)).toBeUndefined();
      await spend();
    }
    expect(asked(ledger, policy)).toContain('would bring this site to epsilon');
  });

  test('the first round is over when the limit is just below it', async () => {
    const { ledger } = await clocked();
    expect(asked(ledger, aPolicy({ maxEpsilon: cost(1) }))).toBeUndefined();
    const refusal = asked(ledger, aPolicy({ maxEpsilon: cost(1) * (1 - 1e-9) }));
    expect(refusal).toContain('0.000 is spent (maxEpsilon)');
    expect(refusal).toContain('none of the 6 rounds that the plan has left fits');
  });

  test('what would fit does fit: the noise multiplier that is named, and hardly less', async () => {
    const limit = fc.double({ min: 0.5, max: 3, noNaN: true });
    await fc.assert(
      fc.asyncProperty(limit, fc.nat(3), async (maxEpsilon, rounds) => {
        const { ledger, spend } = await clocked();
        for (let round = 0; round < rounds; round++) await spend();
        const policy = aPolicy({ maxEpsilon });
        const refusal = asked(ledger, policy);
        fc.pre(refusal !== undefined);
        const spent = ledger.entries();
        const epsilonAt = (z: number): number =>
          reportedEpsilon([...spent, { event: withNoiseTimes(gaussian, z / 4), count: 6 }], delta);
        const named = /A noise multiplier of ([\d.]+) would make all 6 fit/.exec(refusal)?.[1];
        // Where all is spent but what the accountant cannot resolve, no noise may do.
        if (named === undefined) expect(reportedEpsilon(spent, delta)).toBeGreaterThan(maxEpsilon - 1e-6);
        else {
          expect(epsilonAt(Number(named))).toBeLessThanOrEqual(maxEpsilon);
          expect(epsilonAt(Number(named) * 0.998)).toBeGreaterThan(maxEpsilon - 2e-4);
        }
      }),
      { numRuns: 12 },
    );
  });

  test('an overspent ledger lets nothing in, and says that no noise would help', async () => {
    const { ledger, spend } = await clocked();
    await spend();
    const refusal = asked(ledger, aPolicy({ maxEpsilon: cost(1) / 2 }));
    expect(refusal).toContain('0.000 is left');
    expect(refusal).toContain('No noise multiplier would make all 6 fit now');
  });

  test('a release without noise leaves nothing to any other', async () => {
    const { ledger, spend } = await clocked();
    await spend({ type: 'non-private' });
    expect(asked(ledger, aPolicy())).toContain('epsilon infinite in total');
    expect(asked(ledger, aPolicy(), { type: 'non-private' })).toBeUndefined();
    expect(budgetStates(ledger, aPolicy())).toMatchObject([{ spent: Infinity, left: 0 }]);
  });

  test("another run's reservation counts as spent until its round is committed or replaced", async () => {
    const { ledger, spend } = await clocked();
    const policy = aPolicy({ maxEpsilon: cost(2) });
    const other = RunId.parse('other');
    ledger.reserve(run, gaussian);
    ledger.reserve(other, gaussian);
    ledger.reserve(other, gaussian);
    expect(asked(ledger, policy)).toBeUndefined();
    ledger.reserve(RunId.parse('third'), gaussian);
    expect(asked(ledger, policy)).toContain('is spent');
    await spend(gaussian, 'third');
    expect(asked(ledger, policy)).toContain('is spent');
    await spend(gaussian, 'other');
    expect(ledger.reservedBesides(run)).toEqual([]);
  });
});

describe('the budget per period', () => {
  const policy = (rounds: number): SitePolicy =>
    aPolicy({ maxEpsilon: 50, perPeriod: { epsilon: cost(rounds), days: 30 } });

  test('an empty ledger has spent nothing of either', async () => {
    const { ledger } = await clocked();
    expect(budgetStates(ledger, policy(2))).toEqual([
      { rule: 'maxEpsilon', span: 'in total', limit: 50, spent: 0, left: 50, entries: [] },
      { rule: 'perPeriod', span: 'in 30 days', limit: cost(2), spent: 0, left: cost(2), entries: [] },
    ]);
  });

  test('rolls: a round counts for 30 days to the millisecond, and the refusal says when it fits again', async () => {
    const { ledger, at, spend } = await clocked();
    await spend();
    at(10);
    await spend();
    at(29);
    const refusal = asked(ledger, policy(2));
    expect(refusal).toContain('in 30 days at delta');
    expect(refusal).toContain('(perPeriod)');
    expect(refusal).toContain(`fits from ${new Date(1030 * dayMs).toISOString()} on`);
    at(30 - 1 / dayMs);
    expect(asked(ledger, policy(2))).toBe(refusal);
    at(30);
    expect(asked(ledger, policy(2))).toBeUndefined();
    expect(budgetStates(ledger, policy(2))[1]?.spent).toBe(cost(1));
    at(500);
    expect(budgetStates(ledger, policy(2)).map(({ spent }) => spent)).toEqual([cost(2), 0]);
  });

  test('a round that the period never covers is not promised for later', async () => {
    const { ledger, spend } = await clocked();
    await spend();
    const refusal = asked(ledger, aPolicy({ maxEpsilon: 50, perPeriod: { epsilon: cost(1) / 2, days: 30 } }));
    expect(refusal).not.toContain('fits from');
  });

  test('a clock that runs backwards opens no room', async () => {
    const { ledger, at, spend } = await clocked();
    at(100);
    await spend();
    await spend();
    at(0);
    expect(asked(ledger, policy(2))).toContain('(perPeriod)');
    await spend();
    expect(budgetStates(ledger, policy(2))[1]?.spent).toBe(cost(3));
    at(100 + 29);
    expect(budgetStates(ledger, policy(2))[1]?.spent).toBe(cost(3));
  });

  test('the total holds beside it', async () => {
    const { ledger, at, spend } = await clocked();
    const both = aPolicy({ maxEpsilon: cost(2), perPeriod: { epsilon: cost(1), days: 1 } });
    await spend();
    at(2);
    expect(asked(ledger, both)).toBeUndefined();
    await spend();
    at(4);
    expect(asked(ledger, both)).toContain('(maxEpsilon)');
  });

  test('a later round of correlated noise is charged for all of it where its first round is too old to count', async () => {
    const { ledger, at, spend } = await clocked();
    await spend(first);
    at(40);
    expect(budgetStates(ledger, policy(2))[1]?.spent).toBe(0);
    await spend(step);
    const charged: readonly LedgerEntry[] = budgetStates(ledger, policy(2))[1]?.entries ?? [];
    expect(charged).toEqual([{ event: first, count: 1 }]);
    expect(asked(ledger, policy(50), step)).toBeUndefined();
    at(80);
    const tight = aPolicy({ maxEpsilon: 50, perPeriod: { epsilon: cost(1, first) * 0.9, days: 30 } });
    expect(asked(ledger, tight, step)).toContain('No noise multiplier would');
  });
});
