import { mkdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { describe, expect, test } from 'vitest';
import { openFinishedRun } from '../../../coordinator/finished-run.ts';
import { openStore } from '../../../coordinator/store/store.ts';
import { RoundIndex, SiteId } from '../../../shared/units.ts';
import { aManifest, aReport } from '../../support/a-report.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';

const databaseOf = (directory: string): string => join(directory, 'coordinator.sqlite');
const page = 4096;

/** A directory with one finished round and the signals of a site, closed again. */
async function aRun(): Promise<string> {
  const directory = join(temporaryFolder(), 'run');
  const store = await openStore(directory);
  await store.saveManifest(aManifest());
  for (const version of [0, 1])
    await store.saveSignals(RoundIndex.parse(version), SiteId.parse('east'), new Uint8Array(40_000));
  const scores = { all: Uint8Array.of(1), declared: Uint8Array.of(2) };
  await store.finish({ report: aReport({ round: 0 }), optimizer: Uint8Array.of(7), scores });
  await store.close();
  return directory;
}

/** Overwrite bytes of the database, as a bad disk would. */
function overwrite(directory: string, from: number, bytes: Uint8Array): void {
  const content = readFileSync(databaseOf(directory));
  content.set(bytes.subarray(0, content.length - from), from);
  writeFileSync(databaseOf(directory), content);
}

function alter(directory: string, statement: string): void {
  const database = new Database(databaseOf(directory));
  database.exec(statement);
  database.close();
}

const damages: readonly [string, (directory: string) => void][] = [
  [
    'no database at all',
    (directory) => {
      writeFileSync(databaseOf(directory), 'not a database '.repeat(600));
    },
  ],
  [
    'a first page that is gone',
    (directory) => {
      overwrite(directory, 0, new Uint8Array(page));
    },
  ],
  [
    'a description of its tables that is gone',
    (directory) => {
      overwrite(directory, 100, new Uint8Array(page - 100).fill(0x41));
    },
  ],
  [
    'pages overwritten in its middle',
    (directory) => {
      overwrite(directory, 4 * page, new Uint8Array(8 * page).fill(0x41));
    },
  ],
  [
    'its end cut off',
    (directory) => {
      truncateSync(databaseOf(directory), 3 * page);
    },
  ],
  [
    'a manifest that is none',
    (directory) => {
      alter(directory, "update fact set value = '{\"name\": 3}' where key = 'manifest'");
    },
  ],
  [
    'a report that is no JSON',
    (directory) => {
      alter(directory, "update finished_round set report = 'AAAA'");
    },
  ],
  [
    'text that is not UTF-8',
    (directory) => {
      alter(directory, "update finished_round set report = cast(x'ff41fe' as text)");
    },
  ],
  [
    'tables of something else',
    (directory) => {
      rmSync(databaseOf(directory));
      alter(directory, 'create table fact (name text)');
    },
  ],
];

describe.each(damages)('a run whose database is %s', (_what, damage) => {
  test.each<[string, (directory: string) => Promise<unknown>]>([
    ['led', openStore],
    ['read', openFinishedRun],
  ])('is refused when it is %s, by a code and with a way out', async (_how, open) => {
    const directory = await aRun();
    damage(directory);
    const refusal = await refusalOf(open(directory));
    expect(refusal).toMatchObject({ code: 'RUN_NOT_FOUND' });
    const { message } = refusal as Error;
    for (const part of [databaseOf(directory), 'backup', 'new run', 'ledgers'])
      expect(message).toContain(part);
  });
});

test('a database that is a folder is no fault of ours', async () => {
  const directory = await aRun();
  rmSync(databaseOf(directory));
  mkdirSync(databaseOf(directory));
  expect(await refusalOf(openStore(directory))).toMatchObject({
    code: 'DIRECTORY_UNWRITABLE',
    message: expect.stringContaining(databaseOf(directory)) as unknown,
  });
});

test('a run that was refused for its damage is not locked afterwards', async () => {
  const directory = await aRun();
  const sound = readFileSync(databaseOf(directory));
  writeFileSync(databaseOf(directory), 'not a database '.repeat(600));
  await refusalOf(openStore(directory));
  writeFileSync(databaseOf(directory), sound);
  const store = await openStore(directory);
  expect(await store.reports()).toEqual([aReport({ round: 0 })]);
  await store.close();
});
