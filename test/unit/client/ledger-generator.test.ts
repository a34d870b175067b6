import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { launchClient, ledgerCommand, openSimulatedSite } from '../../../client/index.ts';
import { openLedger } from '../../../client/ledger.ts';
import { type SiteFiles, siteFiles } from '../../support/a-run.ts';
import { alterLedger, aRelease, ledgerHashes, threeRounds } from '../../support/ledger-files.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';

const kinds = ['secure', 'seeded'] as const;

/** A ledger as versions before stamps made it. */
async function unstamped(path?: string): Promise<string> {
  const made = path ?? (await threeRounds());
  alterLedger(made, 'drop table generator');
  return made;
}

async function released(ledger: string, generator: (typeof kinds)[number]): Promise<void> {
  const open = await openLedger(ledger, { generator });
  await open.commit(aRelease(0));
  await open.close();
}

/** Open as a client of this kind does, and close again. */
async function opened(ledger: string, generator: (typeof kinds)[number]): Promise<number> {
  const open = await openLedger(ledger, { generator });
  await open.close();
  return open.position().length;
}

describe('the kind of generator that a ledger was made with', () => {
  test.each(kinds)('%s: is kept, and no client of the other kind goes on with it', async (kind) => {
    const path = join(temporaryFolder(), 'ledger.sqlite');
    const other = kind === 'secure' ? 'seeded' : 'secure';
    await released(path, kind);
    const hashes = ledgerHashes(path);
    expect(await refusalOf(openLedger(path, { generator: other }))).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(
        new RegExp(`${path}.*expected a ledger of .*name another file under \`ledger\``),
      ) as unknown,
    });
    expect(ledgerHashes(path)).toEqual(hashes);
    expect(await opened(path, kind)).toBe(1);
  });

  test('is kept from the first opening on, before anything was released', async () => {
    const path = join(temporaryFolder(), 'ledger.sqlite');
    expect(await opened(path, 'seeded')).toBe(0);
    expect(await refusalOf(openLedger(path))).toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test.each(kinds)('a ledger of before is taken as of the kind that opens it first: %s', async (kind) => {
    const path = await unstamped();
    expect(await opened(path, kind)).toBe(3);
    const other = kind === 'secure' ? 'seeded' : 'secure';
    expect(await refusalOf(openLedger(path, { generator: other }))).toMatchObject({ code: 'CONFIG_INVALID' });
    expect(await opened(path, kind)).toBe(3);
  });

  test('that cannot be read is not guessed', async () => {
    const path = await threeRounds();
    alterLedger(path, `update generator set kind = 'secured'`);
    expect(await refusalOf(openLedger(path))).toMatchObject({ code: 'LEDGER_CORRUPT' });
  });
});

describe('a site whose ledger is of the other kind', () => {
  const site = (client: Record<string, unknown> = {}): SiteFiles =>
    siteFiles(temporaryFolder(), 'north', { client });

  async function refusedLaunch({ config }: SiteFiles): Promise<unknown> {
    const observer = { note: (): void => undefined, report: (): void => undefined };
    const connect = (): never => {
      throw new Error('connected although the ledger was to be refused');
    };
    return refusalOf(launchClient(config, { observer, connect, signal: AbortSignal.timeout(10_000) }));
  }

  test('that is real does not start on what a simulation has released', async () => {
    const real = site({ seed: undefined, declaredUsers: 20 });
    await released(real.ledger, 'seeded');
    expect(await refusedLaunch(real)).toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('that breaks its protection on purpose does not start on a real ledger', async () => {
    const broken = site({ redTeam: { brokenProtection: { noise: 'off' } } });
    await released(broken.ledger, 'secure');
    expect(await refusedLaunch(broken)).toMatchObject({ code: 'CONFIG_INVALID' });
  });

  test('is not opened for experiments', async () => {
    const seeded = site();
    await released(seeded.ledger, 'secure');
    expect(await refusalOf(openSimulatedSite(seeded.config, aRelease(0).run))).toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });
});

describe('parley ledger', () => {
  test.each(['verify', 'show'] as const)('%s says what the releases are', async (what) => {
    const { config, ledger } = siteFiles(temporaryFolder(), 'north');
    await released(ledger, 'seeded');
    const seeded = await ledgerCommand(config, what);
    expect(seeded.json).toMatchObject({ privacy: 'simulation: not private' });
    expect(seeded.lines.join('\n')).toContain('simulation: not private');

    await unstamped(ledger);
    const { json, lines } = await ledgerCommand(config, what);
    expect(json).toMatchObject({ privacy: 'not stamped' });
    expect(lines.join('\n')).toContain('not stamped: an earlier version made it');

    for (const suffix of ['', '.mark']) rmSync(ledger + suffix);
    await released(ledger, 'secure');
    const secure = await ledgerCommand(config, what);
    expect(secure.json).toMatchObject({ privacy: 'private' });
    expect(secure.lines.join('\n')).not.toContain('not private');
  });
});
