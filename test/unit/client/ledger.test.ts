import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openLedger } from '../../../client/ledger.ts';
import { sha256 } from '../../../shared/crypto/encoding.ts';
import { appendEvent } from '../../../shared/privacy/accounting/entries.ts';
import { MechanismEvent } from '../../../shared/privacy/accounting/event.ts';
import { rdpEpsilon } from '../../../shared/privacy/accounting/rdp-accountant.ts';
import { Delta, RoundIndex, RunId } from '../../../shared/units.ts';
import { aLedger, run } from '../../support/a-site.ts';
import { alterLedger, aRelease, gaussian, sampled, threeRounds } from '../../support/ledger-files.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';

const delta = Delta.parse(1e-5);
const unprotected = MechanismEvent.parse({ type: 'non-private' });

describe('the ledger of a site', () => {
  test('holds every event over reopenings, and epsilon is that of the events', async () => {
    const events = fc.array(fc.constantFrom(gaussian, sampled), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(events, fc.nat(6), async (all, cut) => {
        const path = join(temporaryFolder(), 'ledger.sqlite');
        let ledger = await openLedger(path);
        for (const [round, event] of all.entries()) {
          await ledger.commit(aRelease(round, { event }));
          if (round !== cut) continue;
          await ledger.close();
          ledger = await openLedger(path);
        }
        const expected = all.reduce(appendEvent, []);
        expect(ledger.entries()).toEqual(expected);
        expect(rdpEpsilon(ledger.entries(), delta)).toBe(rdpEpsilon(expected, delta));
        await ledger.close();
      }),
      { numRuns: 15 },
    );
  });

  test('an empty ledger costs nothing; one release without noise costs everything', async () => {
    const ledger = await aLedger();
    expect(rdpEpsilon(ledger.entries(), delta)).toBe(0);
    await ledger.commit(aRelease(0, { event: unprotected }));
    expect(rdpEpsilon(ledger.entries(), delta)).toBe(Infinity);
  });

  test('its head names all that came before', async () => {
    const path = join(temporaryFolder(), 'ledger.sqlite');
    const ledger = await openLedger(path);
    const heads = [ledger.head()];
    for (const round of [0, 1, 2]) {
      await ledger.commit(aRelease(round));
      heads.push(ledger.head());
    }
    await ledger.close();
    expect(new Set(heads).size).toBe(4);
    expect((await aLedger(path)).head()).toBe(heads.at(-1));
    const other = await aLedger();
    await other.commit(aRelease(0, { bytes: Uint8Array.of(9) }));
    expect(other.head()).not.toBe(heads[1]);
  });

  test('a release is the same bytes after reopening, and unknown where there was none', async () => {
    const ledger = await aLedger(await threeRounds());
    const { planSha256, bytes } = aRelease(1);
    expect(await ledger.release(run, RoundIndex.parse(1))).toEqual({
      planSha256,
      bytes,
      sha256: sha256(bytes),
    });
    expect(await ledger.release(run, RoundIndex.parse(3))).toBeUndefined();
    expect(await ledger.release(RunId.parse('other'), RoundIndex.parse(1))).toBeUndefined();
  });

  test('a round of a run is released once; the refused release leaves nothing behind', async () => {
    const path = await threeRounds();
    const ledger = await openLedger(path);
    const [head, entries] = [ledger.head(), ledger.entries()];
    await refusalOf(ledger.commit(aRelease(1, { bytes: Uint8Array.of(7), event: sampled })));
    expect([ledger.head(), ledger.entries()]).toEqual([head, entries]);
    await ledger.commit(aRelease(1, { run: RunId.parse('other') }));
    await ledger.close();
    expect((await (await aLedger(path)).release(run, RoundIndex.parse(1)))?.bytes).toEqual(aRelease(1).bytes);
  });

  test.each([
    ['an event was changed', `update entry set event = replace(event, '3', '9') where round = 1`],
    [
      'a changed event was hashed over',
      `update entry set event = '{}', hash = previous_hash where round = 1`,
    ],
    ['another round was claimed', 'update entry set round = 7 where round = 2'],
    ['another plan was claimed', `update entry set plan_sha256 = '${sha256('x')}' where round = 0`],
    ['another release was claimed', `update entry set release_sha256 = '${sha256('x')}' where round = 2`],
    ['the first row was removed', 'delete from entry where position = 0'],
    ['a row in the middle was removed', 'delete from entry where position = 1'],
    ['the newest row was removed', 'delete from entry where position = 2'],
    ['all rows were removed', 'delete from entry'],
    ['two rows changed places', 'update entry set position = 9 where position = 1'],
  ])('does not open when %s', async (_what, statement) => {
    const path = await threeRounds();
    alterLedger(path, statement);
    expect(await refusalOf(openLedger(path))).toMatchObject({
      code: 'LEDGER_CORRUPT',
      message: expect.stringContaining('Nothing is trained until the ledger is restored') as unknown,
    });
  });

  test('does not open an event that no accountant knows, however well it is chained', async () => {
    const path = join(temporaryFolder(), 'ledger.sqlite');
    const ledger = await openLedger(path);
    // A release of a later version, say.
    await ledger.commit(
      aRelease(0, { event: { ...gaussian, type: 'laplace' } as unknown as MechanismEvent }),
    );
    await ledger.close();
    expect(await refusalOf(openLedger(path))).toMatchObject({ code: 'LEDGER_CORRUPT' });
  });

  test('does not open a file that is no ledger, or a path where none can be', async () => {
    const path = join(temporaryFolder(), 'notes.txt');
    writeFileSync(path, 'not a ledger '.repeat(400));
    expect(await refusalOf(openLedger(path))).toMatchObject({ code: 'LEDGER_CORRUPT' });
    expect(await refusalOf(openLedger(join(path, 'ledger.sqlite')))).toMatchObject({
      code: 'DIRECTORY_UNWRITABLE',
    });
  });

  test.each([
    ['missing', 'delete from release where round = 1'],
    ['changed', `update release set bytes = x'00' where round = 1`],
  ])('bytes that are %s forfeit their round and no other', async (_what, statement) => {
    const path = await threeRounds();
    alterLedger(path, statement);
    const ledger = await aLedger(path);
    expect(await refusalOf(ledger.release(run, RoundIndex.parse(1)))).toMatchObject({
      code: 'RELEASE_FORFEITED',
      message: expect.stringContaining('run run-1, round 1') as unknown,
    });
    expect((await ledger.release(run, RoundIndex.parse(2)))?.bytes).toEqual(aRelease(2).bytes);
  });

  test('a second client on one ledger is refused at once, and let in when the first has closed it', async () => {
    const path = await threeRounds();
    const one = await openLedger(path);
    expect(await refusalOf(openLedger(path))).toMatchObject({
      code: 'LEDGER_CORRUPT',
      message: expect.stringContaining('run one client on a ledger') as unknown,
    });
    await one.commit(aRelease(3));
    await one.close();
    expect((await aLedger(path)).position().length).toBe(4);
  });

  test('rows that another process has written are noticed before anything is sent', async () => {
    const path = await threeRounds();
    const ledger = await openLedger(path);
    alterLedger(path, 'delete from release where round = 2', 'delete from entry where round = 2');
    expect(await refusalOf(ledger.commit(aRelease(3)))).toMatchObject({
      code: 'LEDGER_CORRUPT',
      message: expect.stringContaining('another process has written to the ledger') as unknown,
    });
    await ledger.close();
  });

  test("a run's coins are flipped once", async () => {
    const path = join(temporaryFolder(), 'ledger.sqlite');
    const ledger = await openLedger(path);
    const first = Int32Array.of(5, 9, 0, 2);
    expect(await ledger.roles(run, () => first)).toEqual(first);
    const never = (): Int32Array => {
      throw new Error('flipped twice');
    };
    expect(await ledger.roles(run, never)).toEqual(first);
    await ledger.close();
    const again = await aLedger(path);
    expect(await again.roles(run, never)).toEqual(first);
    expect(await again.roles(RunId.parse('other'), () => Int32Array.of(1, 1))).toEqual(Int32Array.of(1, 1));
  });

  test('coins that were changed are not used', async () => {
    const path = await threeRounds();
    let ledger = await openLedger(path);
    await ledger.roles(run, () => Int32Array.of(5, 0));
    await ledger.close();
    alterLedger(path, `update roles set bytes = x'0600000000000000'`);
    ledger = await aLedger(path);
    const flip = (): Int32Array => Int32Array.of(1, 1);
    expect(await refusalOf(ledger.roles(run, flip))).toMatchObject({ code: 'LEDGER_CORRUPT' });
  });

  test('does not open an entry of another format, or tables of another version', async () => {
    const path = await threeRounds();
    alterLedger(path, 'update entry set format = 3 where round = 2');
    expect(await refusalOf(openLedger(path))).toMatchObject({
      code: 'LEDGER_CORRUPT',
      message: expect.stringContaining('entry 2 has format 3, and this version of Parley reads') as unknown,
    });
    const older = join(temporaryFolder(), 'ledger.sqlite');
    alterLedger(older, 'create table entry (position integer primary key, run text not null)');
    expect(await refusalOf(openLedger(older))).toMatchObject({ code: 'LEDGER_CORRUPT' });
  });
});
