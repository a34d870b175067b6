import { randomBytes } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import Database from 'libsql';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openLedger } from '../../../client/ledger.ts';
import { aLedger } from '../../support/a-site.ts';
import { aRelease, copyOf, layOut, threeRounds } from '../../support/ledger-files.ts';
import { temporaryFolder } from '../../support/temporary.ts';

/** Access to every file of a ledger, by what its name adds to the ledger's. */
function modes(ledger: string): Record<string, string> {
  const names = readdirSync(dirname(ledger)).sort();
  const mode = (name: string): string =>
    (statSync(join(dirname(ledger), name)).mode & 0o777).toString(8).padStart(3, '0');
  return Object.fromEntries(names.map((name) => [name.slice(basename(ledger).length), mode(name)]));
}

/** The tests' own umask lets everybody read and write. */
function withoutUmask(): void {
  const before = process.umask(0);
  onTestFinished(() => void process.umask(before));
}

const allOpen = { '': '600', '-shm': '600', '-wal': '600', '.lock': '600', '.mark': '600' };

describe('access to the files of a ledger', () => {
  test("is its owner's alone, whatever the umask, before and after the first release", async () => {
    withoutUmask();
    const path = join(temporaryFolder(), 'ledger.sqlite');
    const ledger = await aLedger(path);
    expect(modes(path)).toEqual(allOpen);
    await ledger.commit(aRelease(0, { noiseState: randomBytes(3000) }));
    expect(modes(path)).toEqual(allOpen);
  });

  test('is taken from others when a looser ledger is opened, also of what a crash has left', async () => {
    withoutUmask();
    const crashed = join(temporaryFolder(), 'ledger.sqlite');
    layOut(crashed, copyOf(await threeRounds()));
    for (const name of readdirSync(dirname(crashed))) chmodSync(join(dirname(crashed), name), 0o664);
    const ledger = await aLedger(crashed);
    expect(modes(crashed)).toEqual(allOpen);
    expect(ledger.position().length).toBe(3);
  });

  test('may be less than that: what the owner gave away stays away', async () => {
    const path = await threeRounds();
    chmodSync(`${path}.mark`, 0o444);
    await aLedger(path);
    expect(modes(path)).toMatchObject({ '': '600', '.mark': '400' });
  });
});

/** Which of these states of noise have left bytes in any file of the ledger. */
function remembered(ledger: string, states: readonly Buffer[]): number[] {
  const files = ['', '-wal', '-shm', '.lock', '.mark'].map((suffix) => ledger + suffix).filter(existsSync);
  const contents = files.map((file) => readFileSync(file));
  const pieces = (state: Buffer): Buffer[] =>
    Array.from({ length: 25 }, (_, index) =>
      state.subarray(-24 - Math.floor((index / 25) * state.length)).subarray(0, 24),
    );
  const isIn = (piece: Buffer): boolean => contents.some((content) => content.includes(piece));
  return states.flatMap((state, index) => (pieces(state).some(isIn) ? [index] : []));
}

describe('noise that was replaced', () => {
  test.each([
    ['small', 600],
    ['of some pages', 30_000],
    ['larger than the cache of the database', 2_500_000],
  ])('%s: is nowhere on the disk when the commit returns, nor afterwards', async (_what, size) => {
    const path = join(temporaryFolder(), 'ledger.sqlite');
    const ledger = await openLedger(path, { keepReleases: 'unsettled' });
    const states: Buffer[] = [];
    for (const round of [0, 1, 2, 3]) {
      // Each shorter than the one before, which leaves room over in the file.
      states.push(randomBytes(Math.ceil(size * 0.8 ** round)));
      const release = aRelease(round, { noiseState: states[round]!, bytes: randomBytes(size / 10) });
      await ledger.commit(release);
      expect(remembered(path, states)).toEqual([round]);
      await ledger.receive(release.run, release.round, 'signed');
      expect(remembered(path, states)).toEqual([round]);
    }
    await ledger.close();
    expect(remembered(path, states)).toEqual([3]);
  });

  test('stays in the log while somebody looks at the ledger, and goes with the next thing that is written', async () => {
    const path = join(temporaryFolder(), 'ledger.sqlite');
    const ledger = await aLedger(path);
    const states = [0, 1].map(() => randomBytes(5000));
    const [first, second] = states.map((noiseState, round) => aRelease(round, { noiseState }));
    const look = new Database(path);
    look.exec('begin');
    look.prepare('select count(*) from entry').all();
    await ledger.commit(first!);
    await ledger.commit(second!);
    expect(remembered(path, states)).toEqual([0, 1]);
    look.exec('commit');
    look.close();
    await ledger.receive(second!.run, second!.round, 'signed');
    expect(remembered(path, states)).toEqual([1]);
    expect(await ledger.noiseState(second!.run)).toEqual(new Uint8Array(states[1]!));
  });

  test('is taken out of the log that a killed client has left, when the ledger is opened', async () => {
    const path = join(temporaryFolder(), 'ledger.sqlite');
    const ledger = await aLedger(path);
    const states = [0, 1].map(() => randomBytes(5000));
    const look = new Database(path);
    look.exec('begin');
    look.prepare('select count(*) from entry').all();
    for (const [round, noiseState] of states.entries()) await ledger.commit(aRelease(round, { noiseState }));
    const crashed = join(temporaryFolder(), 'ledger.sqlite');
    layOut(crashed, copyOf(path));
    look.exec('commit');
    look.close();
    expect(remembered(crashed, states)).toEqual([0, 1]);
    const found = await aLedger(crashed);
    expect(remembered(crashed, states)).toEqual([1]);
    expect(found.position()).toEqual(ledger.position());
  });
});
