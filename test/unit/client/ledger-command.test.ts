import { writeFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ledgerCommand } from '../../../client/index.ts';
import { type LedgerOptions, openLedger, type SiteLedger } from '../../../client/ledger.ts';
import { sha256 } from '../../../shared/crypto/encoding.ts';
import { reportedEpsilon } from '../../../shared/privacy/accounting/accountants.ts';
import { roundsWithin } from '../../../shared/privacy/accounting/calibrate.ts';
import { MechanismEvent } from '../../../shared/privacy/accounting/event.ts';
import { Delta, Epsilon, RoundIndex, RunId } from '../../../shared/units.ts';
import { type SiteFiles, siteFiles } from '../../support/a-run.ts';
import { alterLedger } from '../../support/ledger-files.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';

const delta = Delta.parse(1e-5);
const event = MechanismEvent.parse({
  type: 'poisson-subsampled-gaussian',
  noiseMultiplier: 2,
  samplingRate: 0.25,
});
const timeMs = Date.UTC(2031, 4, 6);

function aSiteOf(policy: Record<string, unknown> = {}): SiteFiles {
  return siteFiles(temporaryFolder(), 'north', { policy });
}

async function spent(
  site: SiteFiles,
  events: readonly MechanismEvent[],
  options: LedgerOptions = {},
): Promise<SiteLedger> {
  const ledger = await openLedger(site.ledger, { clock: () => timeMs, ...options });
  onTestFinished(() => ledger.close());
  for (const [round, released] of events.entries()) {
    const run = RunId.parse(round < 2 ? 'spring' : 'summer');
    const [named, planSha256] = [RoundIndex.parse(round), sha256('plan')];
    const users = { userIds: round === 0 ? ['ann'] : ['ann', 'ben'] };
    await ledger.commit({
      run,
      round: named,
      planSha256,
      event: released,
      bytes: Uint8Array.of(round),
      users,
    });
    await ledger.receive(run, named, 'signed');
  }
  return ledger;
}

describe('parley ledger', () => {
  test('show says what a ledger holds, what is spent, left and would fit, while its client runs', async () => {
    const site = aSiteOf({ maxEpsilon: 5, perPeriod: { epsilon: 4, days: 365_00 } });
    const ledger = await spent(site, [event, event, event], { keepReleases: 'unsettled' });
    const { json, lines } = await ledgerCommand(site.config, 'show');
    const entries = [{ event, count: 3 }];
    const epsilon = reportedEpsilon(entries, delta);
    const fitting = (limit: number): number =>
      roundsWithin({ epsilon: Epsilon.parse(limit), delta, entries, event });
    expect(json).toEqual({
      ledger: site.ledger,
      position: ledger.position(),
      privacy: 'private',
      releases: { kept: 2, settled: 1, lost: 0 },
      runs: [
        { run: 'spring', releases: 2, newest: '2031-05-06T00:00:00.000Z' },
        { run: 'summer', releases: 1, newest: '2031-05-06T00:00:00.000Z' },
      ],
      events: entries,
      delta,
      budget: [
        {
          rule: 'maxEpsilon',
          span: 'in total',
          limit: 5,
          spent: epsilon,
          left: 5 - epsilon,
          moreLikeNewest: fitting(5),
        },
        {
          rule: 'perPeriod',
          span: 'in 36500 days',
          limit: 4,
          spent: epsilon,
          left: 4 - epsilon,
          moreLikeNewest: fitting(4),
        },
      ],
      users: {
        wholeSite: epsilon,
        unlistedReleases: 0,
        groups: [
          { numUsers: 1, epsilon, releases: 3, leastWeight: 1 },
          {
            numUsers: 1,
            epsilon: reportedEpsilon([{ event, count: 2 }], delta),
            releases: 2,
            leastWeight: 1,
          },
        ],
      },
    });
    const text = lines.join('\n');
    expect(text).toContain(`sound, 3 entries, head ${ledger.head()}`);
    expect(text).toContain('release bytes: 2 kept, 1 settled and dropped, 0 lost');
    expect(text).toContain('3 x poisson-subsampled-gaussian z=2 q=0.25');
    expect(text).toContain(`epsilon in total at delta 0.00001: `);
    expect(text).toContain(`${fitting(5)} more releases like the newest fit`);
    expect(text).toContain('1 users: epsilon');
  });

  test('verify says less; an infinite epsilon is a word in JSON', async () => {
    const site = aSiteOf();
    await spent(site, [{ type: 'non-private' }]);
    const { json, lines } = await ledgerCommand(site.config, 'verify');
    expect(lines).toHaveLength(2);
    expect(json).toMatchObject({
      budget: [{ spent: 'infinite', left: 0, moreLikeNewest: 0 }],
      users: { wholeSite: 'infinite' },
    });
  });

  test('an empty ledger has spent nothing', async () => {
    const site = aSiteOf();
    const ledger = await spent(site, []);
    await ledger.close();
    const { json } = await ledgerCommand(site.config, 'show');
    expect(json).toMatchObject({ position: { length: 0 }, runs: [], budget: [{ spent: 0, left: 50 }] });
  });

  test('lost bytes are counted, and their rounds forfeited', async () => {
    const site = aSiteOf();
    const ledger = await spent(site, [event, event]);
    await ledger.close();
    alterLedger(site.ledger, `update release set bytes = x'00' where round = 1`);
    const { json, lines } = await ledgerCommand(site.config, 'verify');
    expect(json).toMatchObject({ releases: { kept: 1, settled: 0, lost: 1 } });
    expect(lines.join('\n')).toContain('(their rounds are forfeited)');
  });

  test('refuses what the client would refuse, and writes nothing', async () => {
    const site = aSiteOf();
    expect(await refusalOf(ledgerCommand(site.config, 'show'))).toMatchObject({ code: 'FILE_NOT_FOUND' });
    const ledger = await spent(site, [event, event]);
    await ledger.close();
    writeFileSync(`${site.ledger}.mark`, JSON.stringify({ length: 3, head: sha256('later') }));
    expect(await refusalOf(ledgerCommand(site.config, 'verify'))).toMatchObject({ code: 'LEDGER_ROLLBACK' });
    alterLedger(site.ledger, `update entry set time_ms = 1`);
    expect(await refusalOf(ledgerCommand(site.config, 'verify'))).toMatchObject({ code: 'LEDGER_CORRUPT' });
  });
});
