import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { openLedger } from '../../../client/ledger.ts';
import { sha256 } from '../../../shared/crypto/encoding.ts';
import { RoundIndex, RunId } from '../../../shared/units.ts';
import { aLedger, run } from '../../support/a-site.ts';
import { alterLedger, aRelease, copyOf, layOut, threeRounds } from '../../support/ledger-files.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';

describe('positions', () => {
  test('a ledger holds all that it has been at, over reopenings, and nothing else', async () => {
    const path = join(temporaryFolder(), 'ledger.sqlite');
    let ledger = await openLedger(path);
    const positions = [ledger.position()];
    for (const round of [0, 1, 2]) {
      await ledger.commit(aRelease(round));
      positions.push(ledger.position());
    }
    await ledger.close();
    ledger = await aLedger(path);
    expect(positions.map(({ length }) => length)).toEqual([0, 1, 2, 3]);
    for (const { length, head } of positions) {
      expect(ledger.holds({ length, head })).toBe(true);
      expect(ledger.holds({ length: length + 1, head })).toBe(false);
      expect(ledger.holds({ length, head: sha256('another') })).toBe(false);
    }
    expect(ledger.position()).toEqual(positions.at(-1));
  });
});

describe('times', () => {
  test('never run backwards, whatever the clock does, and are in the hash', async () => {
    const path = join(temporaryFolder(), 'ledger.sqlite');
    const clock = [5000.7, 9000, 2000, 9001];
    let reads = 0;
    const ledger = await openLedger(path, { clock: () => clock[Math.min(reads++, 3)]! });
    for (const round of [0, 1, 2, 3]) await ledger.commit(aRelease(round));
    expect(ledger.records().map(({ timeMs }) => timeMs)).toEqual([5000, 9000, 9000, 9001]);
    await ledger.close();
    const behind = await openLedger(path, { clock: () => 17 });
    expect(behind.now()).toBe(9001);
    await behind.close();
    alterLedger(path, 'update entry set time_ms = 1 where round = 1');
    expect(await refusalOf(openLedger(path))).toMatchObject({ code: 'LEDGER_CORRUPT' });
  });
});

describe('the order of a release', () => {
  test('when commit returns, entry, bytes and mark are on the disk: a crash then finds them', async () => {
    const path = await threeRounds();
    const ledger = await openLedger(path);
    const { bytes } = await ledger.commit(aRelease(3));
    const crashed = join(temporaryFolder(), 'ledger.sqlite');
    layOut(crashed, copyOf(path));
    const position = ledger.position();
    expect(JSON.parse(Buffer.from(copyOf(path).mark ?? []).toString())).toEqual(position);
    await ledger.close();
    const found = await aLedger(crashed);
    expect(found.position()).toEqual(position);
    expect((await found.release(run, RoundIndex.parse(3)))?.bytes).toEqual(bytes);
  });

  test('a crash between entry and mark: the ledger opens, and the mark is there before the bytes are', async () => {
    const path = await threeRounds();
    const { mark } = copyOf(path);
    const ledger = await openLedger(path);
    await ledger.commit(aRelease(3));
    await ledger.close();
    const crashed = join(temporaryFolder(), 'ledger.sqlite');
    layOut(crashed, { ...copyOf(path), mark });
    const found = await aLedger(crashed);
    expect((await found.release(run, RoundIndex.parse(3)))?.bytes).toEqual(aRelease(3).bytes);
    expect(JSON.parse(Buffer.from(copyOf(crashed).mark ?? []).toString())).toEqual(found.position());
  });

  test('a mark that cannot be written keeps the bytes back, now and when they are asked for again', async () => {
    const path = await threeRounds();
    const ledger = await aLedger(path);
    mkdirSync(`${path}.mark.new`);
    expect(await refusalOf(ledger.commit(aRelease(3)))).toMatchObject({ code: 'DIRECTORY_UNWRITABLE' });
    expect(await refusalOf(ledger.release(run, RoundIndex.parse(3)))).toMatchObject({
      code: 'DIRECTORY_UNWRITABLE',
    });
    rmdirSync(`${path}.mark.new`);
    expect((await ledger.release(run, RoundIndex.parse(3)))?.bytes).toEqual(aRelease(3).bytes);
  });

  test('a mark that is no mark is no mark', async () => {
    const path = await threeRounds();
    writeFileSync(`${path}.mark`, '{"length":3}');
    expect(await refusalOf(openLedger(path))).toMatchObject({ code: 'LEDGER_CORRUPT' });
  });
});

describe('receipts and what is kept', () => {
  const round = (index: number): RoundIndex => RoundIndex.parse(index);

  test('the first receipt of a release stays; one of no release is not kept', async () => {
    const path = await threeRounds();
    const ledger = await aLedger(path);
    await ledger.receive(run, round(1), 'signed');
    await ledger.receive(run, round(1), 'signed again');
    await ledger.receive(run, round(9), 'of nothing');
    expect(await ledger.receipt(run, round(1))).toBe('signed');
    expect(await ledger.receipt(run, round(9))).toBeUndefined();
  });

  test('unsettled: bytes go when they are confirmed and the next round of the run is released; entries stay', async () => {
    const path = join(temporaryFolder(), 'ledger.sqlite');
    let ledger = await openLedger(path, { keepReleases: 'unsettled' });
    const other = RunId.parse('other');
    for (const index of [0, 1, 2]) await ledger.commit(aRelease(index));
    await ledger.commit(aRelease(0, { run: other }));
    for (const index of [0, 2]) await ledger.receive(run, round(index), 'signed');
    await ledger.receive(other, round(0), 'signed');
    expect((await ledger.release(run, round(0)))?.bytes).toEqual(aRelease(0).bytes);
    const before = ledger.position();
    await ledger.commit(aRelease(3));
    await ledger.close();
    ledger = await aLedger(path);
    expect(ledger.holds(before)).toBe(true);
    expect(ledger.records()).toHaveLength(5);
    for (const index of [0, 2])
      expect(await refusalOf(ledger.release(run, round(index)))).toMatchObject({
        code: 'STALE_ROUND',
        message: expect.stringContaining(`run run-1, round ${index} is settled`) as unknown,
      });
    expect((await ledger.release(run, round(1)))?.bytes).toEqual(aRelease(1).bytes);
    expect((await ledger.release(run, round(3)))?.bytes).toEqual(aRelease(3).bytes);
    expect((await ledger.release(other, round(0)))?.bytes).toEqual(aRelease(0).bytes);
  });

  test('a settled round is never released again', async () => {
    const path = join(temporaryFolder(), 'ledger.sqlite');
    const ledger = await openLedger(path, { keepReleases: 'unsettled' });
    await ledger.commit(aRelease(0));
    await ledger.receive(run, round(0), 'signed');
    await ledger.commit(aRelease(1));
    await refusalOf(ledger.commit(aRelease(0, { bytes: Uint8Array.of(7) })));
    expect(ledger.position().length).toBe(2);
    await ledger.close();
  });

  test('all: nothing goes', async () => {
    const ledger = await aLedger();
    await ledger.commit(aRelease(0));
    await ledger.receive(run, round(0), 'signed');
    await ledger.commit(aRelease(1));
    expect((await ledger.release(run, round(0)))?.bytes).toEqual(aRelease(0).bytes);
  });
});

describe('the state of correlated noise', () => {
  const state = (value: number): Uint8Array => new Uint8Array(16).fill(value);

  test("is that of the run's newest release, over reopenings", async () => {
    const path = join(temporaryFolder(), 'ledger.sqlite');
    let ledger = await openLedger(path);
    expect(await ledger.noiseState(run)).toBeUndefined();
    await ledger.commit(aRelease(0, { noiseState: state(1) }));
    await ledger.commit(aRelease(1, { noiseState: state(2) }));
    await ledger.commit(aRelease(0, { run: RunId.parse('other'), noiseState: state(3) }));
    await ledger.commit(aRelease(2));
    await ledger.close();
    ledger = await aLedger(path);
    expect(await ledger.noiseState(run)).toEqual(state(2));
    expect(await ledger.noiseState(RunId.parse('other'))).toEqual(state(3));
    expect(await ledger.noiseState(RunId.parse('third'))).toBeUndefined();
  });

  test.each([
    ['missing', 'delete from noise_state'],
    ['changed', `update noise_state set bytes = x'00'`],
    ['a text', `update noise_state set bytes = 'text'`],
  ])('%s: the run is forfeited, since noise is not drawn anew', async (_what, statement) => {
    const path = join(temporaryFolder(), 'ledger.sqlite');
    let ledger = await openLedger(path);
    await ledger.commit(aRelease(0, { noiseState: state(1) }));
    await ledger.close();
    alterLedger(path, statement);
    ledger = await aLedger(path);
    expect(await refusalOf(ledger.noiseState(run))).toMatchObject({ code: 'RELEASE_FORFEITED' });
  });
});
