import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { Notice } from '../../../shared/protocol/messages.ts';
import { RoundReport } from '../../../shared/protocol/report.ts';
import type { Connect } from '../../../shared/protocol/transport.ts';
import { aTinyRun, runTiny, type SiteFiles } from '../../support/a-run.ts';

const client = { audit: { fraction: 0.8, referenceFraction: 0.1 } };
const rates = (count: number): number[] => Array.from({ length: count }, (_, i) => 1 / (1000 + i));

/** A run whose every tested group has as many false positive rates, and the reports that reach its first site. */
async function heard(
  numRates: number,
): Promise<{ notes: readonly string[]; reports: readonly RoundReport[]; arrived: readonly RoundReport[] }> {
  const audit = { attacks: [], minGroupSize: 2, fprs: rates(numRates) };
  const run = aTinyRun({ rounds: 2, audit }, { client, users: 60 });
  const arrived: RoundReport[] = [];
  const between = (site: SiteFiles, connect: Connect): Connect => {
    if (site.id !== 'east') return connect;
    return (port) =>
      connect({
        ...port,
        notice: (message) => {
          const notice = Notice.parse(message);
          if (notice.type === 'report') arrived.push(RoundReport.parse(JSON.parse(notice.signed.body)));
          port.notice(message);
        },
      });
  };
  const { outcome, notes, reports } = await runTiny({ ...run, between });
  expect(outcome).toBe('finished');
  const log = readFileSync(join(run.directory, 'rounds.jsonl'), 'utf8');
  expect(log).toBe(reports.map((report) => `${JSON.stringify(report)}\n`).join(''));
  return { notes, reports, arrived };
}

test('a report that can be signed reaches the sites as it is', async () => {
  const { notes, reports, arrived } = await heard(3);
  expect([notes, arrived]).toEqual([[], reports]);
});

test('one that is too long reaches them without its groups, and the run goes on', async () => {
  const { notes, reports, arrived } = await heard(4000);
  expect(reports.map(({ audit }) => audit.groups.length > 0)).toEqual([true, true]);
  expect(arrived).toEqual(reports.map((report) => ({ ...report, audit: { ...report.audit, groups: [] } })));
  expect(notes).toHaveLength(2);
  expect(notes[0]).toMatch(/^round 0: .* at most 1000000 .* without its \d+ groups.* rounds\.jsonl/);
});

test('one that is too long even so stays with the coordinator, and the run goes on', async () => {
  const { notes, reports, arrived } = await heard(20_000);
  expect([reports.length, arrived.length]).toEqual([2, 0]);
  expect(notes[1]).toMatch(/^round 1: .* the sites get none.* rounds\.jsonl/);
});
