import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { reportedEpsilon } from '../../../shared/privacy/accounting/accountants.ts';
import { Manifest } from '../../../shared/protocol/manifest.ts';
import { decodedModel, decodedUpdate } from '../../../shared/protocol/payloads.ts';
import { Delta } from '../../../shared/units.ts';
import { aFederationConfig, runTiny, type SiteFiles, siteFiles } from '../../support/a-run.ts';
import { ledgerRows } from '../../support/ledger-files.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';

const delta = Delta.parse(1e-5);
let folder: string;
let directory: string;
beforeEach(() => {
  folder = temporaryFolder();
  directory = join(folder, 'run');
});

const site = (name: string, policy: Record<string, unknown> = {}): SiteFiles =>
  siteFiles(folder, name, { policy });
const containing = (text: string): unknown => expect.stringContaining(text);

/** Epsilon that a site's own ledger, read from the disk, has paid. */
function paid({ ledger }: SiteFiles): number {
  const entries = ledgerRows(ledger).map(({ event }) => ({ event, count: 1 }));
  return reportedEpsilon(entries, delta);
}

const modelOf = (hash: string): Float32Array =>
  decodedModel(readFileSync(join(directory, 'models', `${hash}.safetensors`)), 3);

function initialModelSha256(): string {
  return Manifest.parse(JSON.parse(readFileSync(join(directory, 'manifest.json'), 'utf8')))
    .initialModelSha256;
}

describe('a run in one process', () => {
  test('goes through its rounds; report, log, mirror and the ledgers of the sites agree', async () => {
    const sites = ['east', 'north', 'west'].map((name) => site(name));
    const { outcome, reports } = await runTiny({ directory, sites });
    expect([outcome, reports.length]).toEqual(['finished', 3]);
    const log = readFileSync(join(directory, 'rounds.jsonl'), 'utf8');
    expect(log).toBe(reports.map((report) => `${JSON.stringify(report)}\n`).join(''));
    expect(new Set(reports.map(({ modelSha256 }) => modelSha256)).size).toBe(3);
    for (const { sites: asked, privacy } of reports) {
      expect(asked).toEqual({
        asked: ['east', 'north', 'west'],
        answered: ['east', 'north', 'west'],
        declined: [],
        missing: [],
      });
      expect(privacy).toBe('simulation: not private');
    }
    for (const one of sites) expect(reports[2]?.epsilon.coordinator).toBe(paid(one));
    expect(reports[2]?.epsilon.recipients).toBeLessThan(paid(sites[0]!));
  });

  test('moves the model by what the ledgers hold, over the declared users, however many there are', async () => {
    const sites = [17, 40].map((declaredUsers) =>
      siteFiles(folder, `declares-${declaredUsers}`, { client: { declaredUsers } }),
    );
    const federation = aFederationConfig({ rounds: 1, server: { type: 'fedavg', learningRate: 0.75 } });
    const { reports } = await runTiny({ directory, sites, federation });
    const [one, two] = sites.map(({ ledger }) => decodedUpdate(ledgerRows(ledger)[0]!.bytes, 3));
    // C 0.5 on a grid of 2^-16, q 0.5, 57 declared users.
    const expected = modelOf(initialModelSha256()).map(
      (value, i) => value + (0.75 * (one![i]! + two![i]!) * 0.5 * 2 ** -16) / (0.5 * 57),
    );
    const moved = modelOf(reports[0]!.modelSha256);
    moved.forEach((value, i) => {
      expect(value).toBeCloseTo(expected[i]!, 6);
    });
    expect(moved).not.toEqual(modelOf(initialModelSha256()));
  });

  test('repeats itself bit for bit from its seed, in whatever order the sites are listed', async () => {
    const names = ['east', 'north', 'west'];
    const { reports } = await runTiny({ directory, sites: names.map((name) => site(name)) });
    folder = temporaryFolder();
    const again = await runTiny({
      directory: join(folder, 'run'),
      sites: names.toReversed().map((name) => site(name)),
    });
    expect(again.reports.map((report) => ({ ...report, seconds: 0 }))).toEqual(
      reports.map((report) => ({ ...report, seconds: 0 })),
    );
  });

  test('goes on without a site whose budget is spent, and says so', async () => {
    const sites = [site('east'), site('north'), site('west', { maxEpsilon: 2 })];
    const federation = aFederationConfig({ rounds: 5 });
    const { outcome, reports } = await runTiny({ directory, sites, federation });
    expect([outcome, reports.length]).toEqual(['finished', 5]);
    const released = ledgerRows(sites[2]!.ledger).length;
    expect(released).toBeGreaterThan(0);
    expect(released).toBeLessThan(5);
    for (const { round, sites: asked } of reports) {
      expect(asked.answered).toEqual(round < released ? ['east', 'north', 'west'] : ['east', 'north']);
      if (round < released) expect(asked.declined).toEqual([]);
      else
        expect(asked.declined).toMatchObject([
          { site: 'west', code: 'BUDGET_EXCEEDED', detail: containing('its policy allows 2') },
        ]);
    }
    expect(paid(sites[2]!)).toBeLessThanOrEqual(2);
    expect(reports[4]?.epsilon.coordinator).toBe(paid(sites[0]!));
  });

  test('ends when too few sites go along, with the reasons of those that declined', async () => {
    const sites = [site('east'), site('north', { minNoiseMultiplier: 9 }), site('west')];
    const federation = aFederationConfig({ cohort: { minSites: 3 } });
    expect(await refusalOf(runTiny({ directory, sites, federation }))).toMatchObject({
      code: 'ROUND_QUORUM_LOST',
      message: containing('round 0: 2 site(s) answered, 3 are needed; north declined (POLICY_REFUSED: '),
    });
    expect(readFileSync(join(directory, 'rounds.jsonl'), 'utf8')).toBe('');
  });

  test('is stopped by its leakage policy, and stays stopped', async () => {
    const sites = [site('east'), site('north')];
    const federation = aFederationConfig({ leakage: [{ figure: 'user-auc', limit: 0, action: 'stop' }] });
    const stopped = await runTiny({ directory, sites, federation });
    expect(stopped).toMatchObject({ outcome: 'stopped', detail: containing('is above the limit 0') });
    expect(stopped.reports.map(({ policy }) => policy.action)).toEqual(['stop']);
    const again = await runTiny({ directory, sites, federation });
    expect(again).toMatchObject({ outcome: 'stopped', detail: stopped.detail, reports: [] });
    expect(ledgerRows(sites[0]!.ledger)).toHaveLength(1);
  });

  test('is not gone on with under another configuration', async () => {
    const sites = [site('east'), site('north')];
    await runTiny({ directory, sites });
    const federation = aFederationConfig({ rounds: 4 });
    expect(await refusalOf(runTiny({ directory, sites, federation }))).toMatchObject({
      code: 'RUN_MISMATCH',
      message: containing(directory),
    });
    const finished = await runTiny({ directory, sites });
    expect(finished).toMatchObject({ outcome: 'finished', reports: [] });
  });

  test('promises nothing without protection, in either view', async () => {
    const sites = [site('east', { allowUnprotected: true }), site('north', { allowUnprotected: true })];
    const federation = aFederationConfig({ protection: { type: 'none' } });
    const { reports } = await runTiny({ directory, sites, federation });
    expect(reports[0]?.epsilon).toMatchObject({ coordinator: 'infinite', recipients: 'infinite' });
    expect(ledgerRows(sites[0]!.ledger).map(({ event }) => event.type)).toEqual(
      Array<string>(3).fill('non-private'),
    );
  });
});
