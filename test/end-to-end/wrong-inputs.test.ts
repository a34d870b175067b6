import { existsSync, mkdirSync, mkdtempSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { hospitals } from '../../scenarios/data/hospitals.ts';
import { identityFrom } from '../../shared/crypto/identity.ts';
import { secureRng } from '../../shared/random/rng.ts';
import { aFederation, type FederationFiles } from '../support/a-federation.ts';
import { ledgerRows } from '../support/ledger-files.ts';
import { parley, parleyDone } from '../support/processes.ts';
import { aScenario } from '../support/small-run.ts';
import { temporaryFolder } from '../support/temporary.ts';

interface Refused {
  readonly code: number | null;
  readonly error: { readonly code: string; readonly message: string };
}

async function refused(...args: readonly string[]): Promise<Refused> {
  const { code, stdout } = await parleyDone(...args, '--json');
  const { error } = JSON.parse(stdout.split('\n').at(-1) ?? '') as Pick<Refused, 'error'>;
  return { code, error };
}

/** Change one site's data file and start the site. */
async function withData(change: (csv: string) => string): Promise<Refused & { files: FederationFiles }> {
  const files = await aFederation();
  const file = join(files.sites[0]!.folder, 'data.csv');
  writeFileSync(file, change(readFileSync(file, 'utf8')));
  return { ...(await refused('client', files.sites[0]!.config)), files };
}

/** A file's cell in the first data row replaced. */
function cell(csv: string, column: string, value: string): string {
  const [header = '', first = '', ...rest] = csv.split('\n');
  const at = header.split(',').indexOf(column);
  return [header, first.split(',').with(at, value).join(','), ...rest].join('\n');
}

/** The scenario of four hospitals with something changed, in this folder. */
function changedScenario(
  folder: string,
  ...change: readonly [RegExp, string] | readonly [RegExp, (found: string) => string]
): string {
  const catalog = resolve('scenarios/catalog');
  const text = readFileSync(join(catalog, 'four-hospitals.yaml'), 'utf8').replace(
    'schemas/',
    `${catalog}/schemas/`,
  );
  const [place, by] = change;
  const file = join(folder, 'changed.yaml');
  writeFileSync(file, typeof by === 'string' ? text.replace(place, by) : text.replace(place, by));
  return file;
}

describe('data that a site cannot use: file, row, column, what was expected; nothing is trained', () => {
  test('missing file', async () => {
    const files = await aFederation({ client: { data: { file: 'no-such.csv', schema: 'no-such.yaml' } } });
    const { code, error } = await refused('client', files.sites[0]!.config);
    expect(error.code).toBe('FILE_NOT_FOUND');
    expect(error.message).toMatch(/no-such/);
    expect(code).toBe(2);
  });

  test('a declared feature column is absent', async () => {
    const { code, error } = await withData((csv) => csv.replace('creatinine', 'kreatinin'));
    expect([code, error.code]).toEqual([3, 'DATA_COLUMN_MISSING']);
    expect(error.message).toMatch(/data\.csv.*creatinine/);
  });

  test('the user column is absent', async () => {
    const { code, error } = await withData((csv) => csv.replace('patient_id', 'id'));
    expect([code, error.code]).toEqual([3, 'DATA_COLUMN_MISSING']);
    expect(error.message).toMatch(/patient_id/);
  });

  test('a feature is not a number', async () => {
    const { code, error, files } = await withData((csv) => cell(csv, 'sodium', 'NaN'));
    expect([code, error.code]).toEqual([3, 'DATA_VALUE_INVALID']);
    expect(error.message).toMatch(/data\.csv.*row 1.*sodium/s);
    expect(existsSync(files.sites[0]!.ledger)).toBe(false);
  });

  test('a category that the schema does not declare', async () => {
    const { code, error } = await withData((csv) => cell(csv, 'ward', 'garage'));
    expect([code, error.code]).toEqual([3, 'DATA_UNKNOWN_CATEGORY']);
    expect(error.message).toMatch(/garage.*medical|medical.*garage/s);
  });

  test('an empty site', async () => {
    const { code, error } = await withData((csv) => `${csv.split('\n')[0] ?? ''}\n`);
    expect([code, error.code]).toEqual([3, 'DATA_EMPTY']);
  });
});

describe('configuration and machine', () => {
  test('a configuration with a wrong key names the place', async () => {
    const files = await aFederation({ federation: { rounds: 0, ronds: 3 } });
    const { code, error } = await refused('coordinator', files.coordinator);
    expect([code, error.code]).toEqual([2, 'CONFIG_INVALID']);
    expect(error.message).toMatch(/federation\.rounds/);
    expect(error.message).toMatch(/ronds/);
  });

  test('the port is in use', async () => {
    const files = await aFederation();
    const other = createServer();
    await new Promise<void>((resolve) => other.listen(files.port, '127.0.0.1', resolve));
    const { code, error } = await refused('coordinator', files.coordinator);
    other.close();
    expect([code, error.code]).toEqual([7, 'PORT_IN_USE']);
    expect(error.message).toContain(String(files.port));
  });

  test('the run directory cannot be written', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'parley-unwritable-'));
    const blocked = join(folder, 'a-file');
    writeFileSync(blocked, '');
    const scenario = 'scenarios/catalog/four-hospitals.yaml';
    const { code, error } = await refused(
      'simulate',
      scenario,
      '--in-process',
      '--out',
      join(blocked, 'run'),
    );
    expect([code, error.code]).toEqual([7, 'DIRECTORY_UNWRITABLE']);
  });

  test.skipIf(!existsSync('/dev/full'))(
    'a full disk costs a simulated site its log, and no run',
    async () => {
      const out = temporaryFolder();
      const [site] = hospitals(2);
      mkdirSync(join(out, 'sites', site!.name), { recursive: true });
      const log = join(out, 'sites', site!.name, 'client.log');
      symlinkSync('/dev/full', log);
      const { code, stdout, stderr } = await parleyDone(
        'simulate',
        aScenario('full', { sites: 2 }),
        '--out',
        out,
      );
      expect(code, stdout + stderr).toBe(0);
      expect(stdout).toMatch(/^finished: /m);
      expect(stderr.split(`${log} cannot be written (ENOSPC`)).toHaveLength(2);
      expect(stderr).not.toMatch(/^ +at /m);
    },
  );

  test('a data set that is nowhere', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'parley-no-data-'));
    const { error } = await refused(
      'simulate',
      'scenarios/catalog/diabetes130.yaml',
      '--data-dir',
      folder,
      '--out',
      join(folder, 'run'),
    );
    expect(error.code).toBe('FILE_NOT_FOUND');
    expect(error.message).toMatch(/--data-dir.*parley data/s);
  });

  test('a line that is no command ends with the usage, not with the whole help', async () => {
    const { code, stdout, stderr } = await parleyDone('simulate', 'x.yaml', '--sede', '3');
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^parley: CONFIG_INVALID: unknown option '--sede'.*--seed/);
    expect(stderr).toMatch(/^Usage: parley simulate \[options\] <scenario>;.*--help/m);
    expect(stderr.trim().split('\n')).toHaveLength(2);
  });

  test.each([
    [['simulate', 'x.yaml', '--sede', '3'], "unknown option '--sede'"],
    [['budget', '--rounds', '0'], "'--rounds <number>' argument '0' is invalid"],
    [['linkage', 'pseudonyms', 'x.yaml'], "required option '--out <file>' not specified"],
    [['simulate'], "missing required argument 'scenario'"],
    [['simulte'], "unknown command 'simulte'"],
    [['data', 'lst'], "unknown command 'lst'"],
  ])('parley %s --json has a code and a reason', async (args, reason) => {
    const { code, error } = await refused(...args);
    expect([code, error.code]).toEqual([2, 'CONFIG_INVALID']);
    expect(error.message).toContain(reason);
  });

  test('more colluding sites than there are', async () => {
    const files = await aFederation({ federation: { colludingSites: 9 } });
    const scenario = changedScenario(files.folder, /epsilonLimit: 4/, '$&\n  colludingSites: 9');
    for (const [sites, args] of [
      [3, ['coordinator', files.coordinator]],
      [4, ['simulate', scenario, '--in-process', '--out', join(files.folder, 'simulated')]],
    ] as const) {
      const { code, error } = await refused(...args);
      expect([code, error.code]).toEqual([2, 'CONFIG_INVALID']);
      expect(error.message).toContain(`colludingSites is 9 but ${sites} site(s) are listed`);
    }
  });

  test('a simulated site whose users are all held out or reference', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'parley-all-audited-'));
    const scenario = changedScenario(
      folder,
      /usersPerSite: 1500|fraction: 0\.3, referenceFraction: 0\.2/g,
      (found) => (found.startsWith('users') ? 'usersPerSite: 5' : 'fraction: 1, referenceFraction: 0.999999'),
    );
    const { code, error } = await refused('simulate', scenario, '--in-process', '--out', join(folder, 'run'));
    expect([code, error.code]).toEqual([3, 'DATA_EMPTY']);
    expect(error.message).toMatch(
      /site \S+: all of its 5 user\(s\) are audit users.*held out or reference.*audit\.fraction, which is 1, .*more users/,
    );
  });
});

describe('what one member does wrong costs the others nothing', () => {
  test('a site whose budget does not cover the round declines before training, and the run goes on without it', async () => {
    const files = await aFederation({ federation: { rounds: 2 } });
    const [poor, ...others] = files.sites;
    const policy = join(poor!.folder, 'policy.yaml');
    writeFileSync(
      policy,
      JSON.stringify({ ...(JSON.parse(readFileSync(policy, 'utf8')) as object), maxEpsilon: 0.01 }),
    );
    const coordinator = parley('coordinator', files.coordinator, '--json');
    const clients = files.sites.map(({ config }) => parley('client', config, '--json'));
    expect(await coordinator.exited, coordinator.stderr()).toBe(0);
    await Promise.all(clients.map((client) => client.exited));
    const line = coordinator.lines.find((text) => text.includes('"round":1,')) ?? '';
    expect(line).toContain(`"declined":[{"site":"${poor!.id}","code":"BUDGET_EXCEEDED"`);
    expect(ledgerRows(poor!.ledger)).toEqual([]);
    for (const site of others) expect(ledgerRows(site.ledger)).toHaveLength(2);
  });

  test('a site with a key that the coordinator does not know is refused, and the others finish', async () => {
    const files = await aFederation({
      federation: { rounds: 1, deadlines: { enrolMs: 15_000, answerAfterMs: 300 } },
    });
    const [stranger, ...others] = files.sites;
    writeFileSync(
      join(stranger!.folder, 'identity.json'),
      JSON.stringify(identityFrom(secureRng().bytes(32))),
    );
    const coordinator = parley('coordinator', files.coordinator, '--json');
    const clients = others.map(({ config }) => parley('client', config, '--json'));
    const { code, error } = await refused('client', stranger!.config);
    expect([code, error.code]).toEqual([5, 'UNKNOWN_KEY']);
    expect(await coordinator.exited, coordinator.stderr()).toBe(0);
    expect(await Promise.all(clients.map((client) => client.exited))).toEqual([0, 0]);
    expect(coordinator.lines.find((line) => line.startsWith('{"report"'))).toContain('"UNKNOWN_KEY":1');
  });
});
