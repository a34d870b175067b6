import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { launchClient } from '../../../client/launch.ts';
import type { Connect } from '../../../shared/protocol/transport.ts';
import { aFederationConfig, runTiny, type SiteFiles, siteFiles } from '../../support/a-run.ts';
import { ledgerRows } from '../../support/ledger-files.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';

let site: SiteFiles;
beforeEach(() => {
  site = siteFiles(temporaryFolder(), 'east');
});

const observer = { note: (): void => undefined, report: (): void => undefined };
const beside = (file: string): string => join(dirname(site.config), file);

/** Change the configuration as an operator would, in its file. */
function configure(change: Record<string, unknown>): void {
  const config = JSON.parse(readFileSync(site.config, 'utf8')) as Record<string, unknown>;
  writeFileSync(site.config, JSON.stringify({ ...config, ...change }));
}

/** Start the site on a transport that must not be used before all is in order. */
function refused(): Promise<unknown> {
  const { signal } = new AbortController();
  return refusalOf(launchClient(site.config, { observer, signal, connect: never }));
}

const never: Connect = () => {
  throw new Error('connected although something was wrong');
};

describe('a site does not start', () => {
  test.each(['client.yaml', 'policy.yaml', 'identity.json', 'schema.yaml', 'data.csv'])(
    'without %s',
    async (file) => {
      rmSync(beside(file));
      expect(await refused()).toMatchObject({
        code: 'FILE_NOT_FOUND',
        message: expect.stringContaining(file) as unknown,
      });
      expect(existsSync(site.ledger)).toBe(false);
    },
  );

  test.each<[string, string, string]>([
    ['client.yaml', 'site: [', 'is not YAML'],
    ['client.yaml', '{}', 'coordinator'],
    ['policy.yaml', '{"delta": 1e-5, "minNoiseMultiplier": 1}', 'maxEpsilon'],
    ['policy.yaml', '', 'does not fit'],
    ['identity.json', `{"publicKey": "${'0'.repeat(64)}", "secretKey": "${'0'.repeat(64)}"}`, 'low-order'],
  ])('with a %s that says %j', async (file, text, complaint) => {
    writeFileSync(beside(file), text);
    expect(await refused()).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining(complaint) as unknown,
    });
  });

  test('with a misspelt key in its configuration', async () => {
    configure({ declaredUser: 20 });
    expect(await refused()).toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('with a sampler that does not exist', async () => {
    configure({ noise: { sampler: 'uniform' } });
    expect(await refused()).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('noise.sampler') as unknown,
    });
  });

  test('over a plain socket to another machine', async () => {
    configure({ coordinator: { url: 'ws://hospital.example:7443', publicKey: site.identity.publicKey } });
    const { signal } = new AbortController();
    expect(await refusalOf(launchClient(site.config, { observer, signal }))).toMatchObject({
      code: 'INSECURE_URL',
    });
  });

  test.each<[string, string]>([
    ['no certificate', 'a certificate'],
    ['half of one', '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'],
    ['a key', '-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n'],
  ])('with an authority that is %s', async (_what, pem) => {
    const url = 'https://127.0.0.1:1';
    configure({ coordinator: { url, publicKey: site.identity.publicKey, ca: 'ca.pem' } });
    writeFileSync(beside('ca.pem'), pem);
    const signal = AbortSignal.timeout(2000);
    expect(await refusalOf(launchClient(site.config, { observer, signal }))).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(/ca\.pem.*coordinator\.ca.*PEM/) as unknown,
    });
  });

  test('without a declared number of users, unless it is a simulation', async () => {
    configure({ seed: undefined });
    expect(await refused()).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('declaredUsers') as unknown,
    });
  });

  test('with a ledger that is damaged, or where none can be', async () => {
    mkdirSync(dirname(site.ledger));
    writeFileSync(site.ledger, 'not a ledger '.repeat(400));
    expect(await refused()).toMatchObject({ code: 'LEDGER_CORRUPT' });
    configure({ ledger: 'data.csv/ledger.sqlite' });
    expect(await refused()).toMatchObject({ code: 'DIRECTORY_UNWRITABLE' });
  });
});

describe('a site that starts', () => {
  const unanswered: Connect = () => ({
    request: () => Promise.reject(new Error('nobody is there')),
    close: () => Promise.resolve(),
  });

  test("makes its ledger's folder, and leaves when it is told to", async () => {
    const stop = new AbortController();
    const connect: Connect = (port) => {
      setImmediate(() => {
        stop.abort();
      });
      return unanswered(port);
    };
    expect(
      await refusalOf(launchClient(site.config, { observer, signal: stop.signal, connect })),
    ).toMatchObject({
      code: 'INTERRUPTED',
    });
    expect(existsSync(site.ledger)).toBe(true);
  });

  test('leaves at once when it was told to while it read its data', async () => {
    const signal = AbortSignal.abort();
    expect(
      await refusalOf(launchClient(site.config, { observer, signal, connect: unanswered })),
    ).toMatchObject({
      code: 'INTERRUPTED',
    });
  });

  test('draws its noise as it is configured', async () => {
    /** What the sites release in the one round of a run that repeats but for this. */
    const released = async (sampler: string): Promise<readonly Uint8Array[]> => {
      const folder = temporaryFolder();
      const client = { noise: { sampler } };
      const sites = ['east', 'west'].map((name) => siteFiles(folder, name, { client }));
      const federation = aFederationConfig({ rounds: 1 });
      expect(await runTiny({ directory: join(folder, 'run'), sites, federation })).toMatchObject({
        outcome: 'finished',
      });
      return sites.flatMap(({ ledger }) => ledgerRows(ledger).map(({ bytes }) => bytes));
    };
    const [rounded, exact] = [await released('rounded-gaussian'), await released('discrete-gaussian')];
    expect([rounded.length, exact.length]).toEqual([2, 2]);
    exact.forEach((bytes, site) => {
      expect(bytes).not.toEqual(rounded[site]);
    });
  });
});
