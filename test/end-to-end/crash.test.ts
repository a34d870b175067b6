import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { appendEvent } from '../../shared/privacy/accounting/entries.ts';
import type { LedgerEntry } from '../../shared/privacy/accounting/event.ts';
import { rdpEpsilon } from '../../shared/privacy/accounting/rdp-accountant.ts';
import { gridStep } from '../../shared/privacy/grid.ts';
import { decodedModel, decodedUpdate } from '../../shared/protocol/payloads.ts';
import { RoundReport } from '../../shared/protocol/report.ts';
import { ClipNorm, Delta } from '../../shared/units.ts';
import { aFederation, type FederationFiles } from '../support/a-federation.ts';
import { ledgerRows } from '../support/ledger-files.ts';
import { mortalParley } from '../support/mortal.ts';

const numParams = 28;
const start = mortalParley();

function reportsOf({ directory }: FederationFiles): RoundReport[] {
  const lines = readFileSync(join(directory, 'rounds.jsonl'), 'utf8').trimEnd().split('\n');
  return lines.map((line) => RoundReport.parse(JSON.parse(line)));
}

function model(files: FederationFiles, sha256: string): Float32Array {
  return decodedModel(
    new Uint8Array(readFileSync(join(files.directory, 'models', `${sha256}.safetensors`))),
    numParams,
  );
}

function initialSha256(files: FederationFiles): string {
  const manifest: unknown = JSON.parse(readFileSync(join(files.directory, 'manifest.json'), 'utf8'));
  return String(Object.entries(manifest as object).find(([key]) => key === 'initialModelSha256')?.[1]);
}

/** Every round's step, computed again from the bytes in the ledgers: what was added up is what the ledgers hold. */
function expectModelsFromLedgers(files: FederationFiles): void {
  const step = gridStep(ClipNorm.parse(0.5), numParams);
  let before = model(files, initialSha256(files));
  for (const { round, sites, modelSha256 } of reportsOf(files)) {
    const expected = Float64Array.from(before);
    for (const site of files.sites.filter(({ id }) => sites.answered.some((other) => other === id))) {
      const row = ledgerRows(site.ledger).find((release) => release.round === round);
      const update = decodedUpdate(row?.bytes ?? new Uint8Array(0), numParams);
      update.forEach((value, i) => {
        expected[i]! += (value * step) / (0.5 * 45 * sites.answered.length);
      });
    }
    const after = model(files, modelSha256);
    after.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 5);
    });
    before = after;
  }
}

function expectSoundLedgers(files: FederationFiles): void {
  const reports = reportsOf(files);
  for (const site of files.sites) {
    const rows = ledgerRows(site.ledger);
    const rounds = rows.map(({ run, round }) => `${run} ${round}`);
    expect(new Set(rounds).size).toBe(rounds.length);
    const answered = reports.filter(({ sites }) => sites.answered.some((other) => other === site.id));
    for (const { round } of answered) expect(rows.map((row) => row.round)).toContain(round);
    const delta = Delta.parse(1e-5);
    const entries = rows.reduce<readonly LedgerEntry[]>((all, { event }) => appendEvent(all, event), []);
    const sent = answered.reduce<readonly LedgerEntry[]>((all) => appendEvent(all, rows[0]!.event), []);
    expect(rdpEpsilon(entries, delta)).toBeGreaterThanOrEqual(rdpEpsilon(sent, delta));
  }
}

const isRound = (round: number) => (line: string) =>
  line.includes(`"round":${round},`) && line.startsWith('{"report"');

describe('real processes on loopback', () => {
  test('kill -9 of the coordinator mid-run: started again, the run completes and nothing is released twice', async () => {
    const files = await aFederation({ federation: { rounds: 6 } });
    const first = start('coordinator', files.coordinator, '--json');
    const clients = files.sites.map(({ config }) => start('client', config, '--json'));
    await first.waitFor(isRound(1));
    await first.kill('SIGKILL');
    const second = start('coordinator', files.coordinator, '--json');
    expect(await second.exited, second.stderr()).toBe(0);
    expect(await Promise.all(clients.map((client) => client.exited))).toEqual([0, 0, 0]);
    expect(reportsOf(files).map(({ round }) => round)).toEqual([0, 1, 2, 3, 4, 5]);
    expect(existsSync(join(files.directory, 'report.html'))).toBe(true);
    expectSoundLedgers(files);
    expectModelsFromLedgers(files);
  });

  test('kill -9 of a site between its release and its upload: it sends the same bytes, and the run completes', async () => {
    const files = await aFederation({ federation: { rounds: 3, deadlines: { answerAfterMs: 2500 } } });
    const coordinator = start('coordinator', files.coordinator, '--json');
    const [victim, ...others] = files.sites.map(({ config }) => start('client', config, '--json'));
    const ledger = files.sites[0]!.ledger;
    await coordinator.waitFor(isRound(0));
    // The release of round 1 is durable, and its plan's tick has not come: nothing of it was sent yet.
    const release = await vi.waitFor(
      () => {
        const row = ledgerRows(ledger).find(({ round }) => round === 1);
        if (!row) throw new Error('not released yet');
        return row;
      },
      { timeout: 60_000, interval: 20 },
    );
    await victim!.kill('SIGKILL');
    const again = start('client', files.sites[0]!.config, '--json');
    expect(await coordinator.exited, coordinator.stderr()).toBe(0);
    expect(await Promise.all([again, ...others].map((client) => client.exited))).toEqual([0, 0, 0]);
    const reports = reportsOf(files);
    expect(reports).toHaveLength(3);
    expect(reports[1]!.sites.answered).toContain(files.sites[0]!.id);
    const resent = ledgerRows(ledger).filter(({ round }) => round === 1);
    expect(resent).toHaveLength(1);
    expect(resent[0]!.releaseSha256).toBe(release.releaseSha256);
    expectSoundLedgers(files);
    expectModelsFromLedgers(files);
  });

  test('a site that is killed and stays away costs the round its contribution and nothing else', async () => {
    const deadlines = { answerAfterMs: 300, roundMs: 4000, scoreMs: 4000, enrolMs: 60_000 };
    const files = await aFederation({ federation: { rounds: 4, deadlines } });
    const coordinator = start('coordinator', files.coordinator, '--json');
    const [victim] = files.sites.map(({ config }) => start('client', config, '--json'));
    await coordinator.waitFor(isRound(0));
    await victim!.kill('SIGKILL');
    expect(await coordinator.exited, coordinator.stderr()).toBe(0);
    const reports = reportsOf(files);
    expect(reports).toHaveLength(4);
    expect(reports.at(-1)!.sites.answered).toEqual(
      files.sites
        .slice(1)
        .map(({ id }) => id)
        .sort(),
    );
    expectModelsFromLedgers(files);
    expect(readdirSync(join(files.directory, 'models')).length).toBe(5);
  });
});
