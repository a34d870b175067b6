import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { upload } from '../../client/transfer.ts';
import type { HeadStore } from '../../coordinator/ledger-heads.ts';
import { sha256 } from '../../shared/crypto/encoding.ts';
import { helloTo } from '../../shared/protocol/handshake.ts';
import type { LedgerPosition } from '../../shared/protocol/ledger-position.ts';
import type { Reply } from '../../shared/protocol/messages.ts';
import { RoundIndex } from '../../shared/units.ts';
import { deferred } from '../support/deferred.ts';
import { headsInMemory, position } from '../support/ledger-positions.ts';
import { withCode } from '../support/with-code.ts';
import { offered } from './attacks.ts';
import { about, declined, type Fixture, noLimit, openFixture, uploadBy } from './fixture.ts';
import { links } from './links.ts';
import { alpha, beta, coordinator, run, type TestSite } from './site.ts';

/** Copies of a ledger whose fifth entry the coordinator has seen. */
const copies: [string, LedgerPosition][] = [
  ['without any entry', position(0)],
  ['with fewer entries', position(4)],
  ['with fewer entries and another history', position(4, 'b')],
  ['with as many entries and another history', position(5, 'b')],
];

describe.each(links)('%s', (_name, open) => {
  let fixture: Fixture;
  let heads = headsInMemory();
  beforeEach(async () => {
    heads = headsInMemory();
    fixture = await openFixture(open, { heads });
  });
  afterEach(() => fixture.close());

  /** Alpha's hello with this position, on a connection that nobody else answers. */
  const helloWith = async (
    ledger: LedgerPosition,
    site = fixture.join({ ...alpha, silent: true }),
  ): Promise<Reply> => {
    const parties = { run, site: alpha.site, coordinator: coordinator.publicKey };
    const content = { nonce: '5'.repeat(64), ledger };
    return site.raw(helloTo(await site.notice('challenge'), parties, alpha.identity, content));
  };
  /** Alpha has taken part with five entries. */
  const seenAtFive = async (): Promise<TestSite> => {
    fixture.ask();
    const site = await fixture.joined();
    await upload(site, uploadBy(alpha));
    return site;
  };
  /** The same run after a restart: another desk, which knows what was stored. */
  const restart = async (store: HeadStore = heads): Promise<void> => {
    await fixture.close();
    fixture = await openFixture(open, { heads: store });
  };
  const storing = (saveLedgerPosition: HeadStore['saveLedgerPosition']): HeadStore => ({
    ledgerPositions: () => Promise.resolve(new Map()),
    saveLedgerPosition,
  });

  describe.each(copies)('a ledger %s than was seen', (_what, copy) => {
    test('is refused at the hello, and orders keep from it', async () => {
      await seenAtFive();
      fixture.ask({ round: RoundIndex.parse(4) });
      const site = fixture.join({ ...alpha, silent: true });
      expect(await helloWith(copy, site)).toMatchObject({ type: 'refused', code: 'LEDGER_ROLLBACK' });
      expect(fixture.desk.refused()).toEqual({ LEDGER_ROLLBACK: 1 });
      expect(await site.raw({ type: 'fetch', sha256: sha256('model'), offset: 0 })).toMatchObject({
        code: 'NOT_AUTHENTICATED',
      });
      expect(site.untaken()).toEqual([]);
    });

    test('is refused at the hello after a restart of the coordinator', async () => {
      await seenAtFive();
      await restart();
      expect(await helloWith(copy)).toMatchObject({ type: 'refused', code: 'LEDGER_ROLLBACK' });
    });

    test('is refused in an offer, and the site is still waited for', async () => {
      const site = await seenAtFive();
      const next = fixture.ask({ round: RoundIndex.parse(4), sites: [alpha.site] });
      const reply = await offered(site, { round: RoundIndex.parse(4), ledger: copy });
      expect(reply).toMatchObject({ type: 'refused', code: 'LEDGER_ROLLBACK' });
      expect(next.pending()).toEqual(['alpha']);
      expect(heads.kept.get(alpha.site)).toEqual(position(5));
    });

    test('is refused in a decline, and the site is still waited for', async () => {
      await seenAtFive();
      await restart();
      const asked = fixture.ask({ sites: [alpha.site] });
      const site = await fixture.joined();
      expect(await declined(site, { ledger: copy })).toMatchObject({ code: 'LEDGER_ROLLBACK' });
      expect(asked.pending()).toEqual(['alpha']);
      expect(await declined(site, { ledger: position(5) })).toEqual({ type: 'accepted' });
    });
  });

  test('a site that was never seen hears so, and one that was seen hears where', async () => {
    expect(await helloWith(position(7))).toMatchObject({ type: 'welcome', ledger: null });
    await seenAtFive();
    for (const ledger of [position(5), position(6), position(6, 'b')])
      expect(await helloWith(ledger)).toMatchObject({ type: 'welcome', ledger: position(5) });
    await restart();
    expect(await helloWith(position(9))).toMatchObject({ type: 'welcome', ledger: position(5) });
  });

  test('a hello does not move what was seen: a longer copy with another history is told again and again', async () => {
    await seenAtFive();
    for (let i = 0; i < 3; i++)
      expect(await helloWith(position(8, 'b'))).toMatchObject({ type: 'welcome', ledger: position(5) });
    await restart();
    expect(await helloWith(position(5))).toMatchObject({ type: 'welcome' });
  });

  test("one site's ledger says nothing of another's", async () => {
    await seenAtFive();
    const other = await fixture.joined({ ...beta, ledger: position(1, 'c') });
    await upload(other, uploadBy(beta, { about: { ...about, ledger: position(1, 'c') } }));
    expect(heads.kept).toEqual(
      new Map([
        ['alpha', position(5)],
        ['beta', position(1, 'c')],
      ]),
    );
  });

  test('a decline counts as seen, an offer also when nothing of it has arrived yet', async () => {
    fixture.ask();
    const site = await fixture.joined();
    await declined(site, { ledger: position(6) });
    expect(await helloWith(position(5))).toMatchObject({ code: 'LEDGER_ROLLBACK' });
    fixture.ask({ stage: 'signals' });
    const again = await fixture.joined({ ...alpha, ledger: position(7) });
    expect(await offered(again, { stage: 'signals', ledger: position(7) })).toMatchObject({ offset: 0 });
    await restart();
    expect(await helloWith(position(6))).toMatchObject({ code: 'LEDGER_ROLLBACK' });
  });

  test('no byte is asked for before the position of its offer is stored', async () => {
    const stored = deferred<undefined>();
    const begun = deferred<undefined>();
    await restart(
      storing(() => {
        begun.resolve(undefined);
        return stored.promise;
      }),
    );
    fixture.ask();
    const site = await fixture.joined();
    const heard: string[] = [];
    const first = offered(site, {}).then(({ type }) => heard.push(type));
    const second = offered(site, {}).then(({ type }) => heard.push(type));
    await begun.promise;
    // A whole round trip later nothing was answered.
    await site.raw({ type: 'fetch', sha256: sha256('nothing'), offset: 0 });
    expect(heard).toEqual([]);
    stored.resolve(undefined);
    await Promise.all([first, second]);
    expect(heard).toEqual(['proceed', 'proceed']);
  });

  test('a position that cannot be stored ends the wait, and is not told to the site', async () => {
    await restart(storing(() => Promise.reject(new Error('disk full at /secret'))));
    const settled = expect(fixture.ask().settled(noLimit)).rejects.toThrow('disk full');
    const site = await fixture.joined();
    const refusal = await offered(site, {});
    expect(refusal).toMatchObject({ type: 'refused', code: 'INTERRUPTED' });
    expect(JSON.stringify(refusal)).not.toContain('secret');
    await settled;
  });

  test('nothing is taken from an older connection once a newer one was welcomed', async () => {
    await seenAtFive();
    const next = fixture.ask({ round: RoundIndex.parse(4), sites: [alpha.site] });
    const older = fixture.join({ ...alpha, ledger: position(5) });
    await older.reconnected();
    const lost = older.lost();
    expect(await helloWith(position(5))).toMatchObject({ type: 'welcome' });
    await lost;
    const late = offered(older, { round: RoundIndex.parse(4), ledger: position(6, 'b') });
    await expect(late).rejects.toThrow(withCode('CONNECTION_LOST'));
    expect(next.pending()).toEqual(['alpha']);
    expect(heads.kept.get(alpha.site)).toEqual(position(5));
  });
});
