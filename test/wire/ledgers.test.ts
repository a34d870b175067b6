import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { upload } from '../../client/transfer.ts';
import type { HeadStore } from '../../coordinator/ledger-heads.ts';
import { sha256 } from '../../shared/crypto/encoding.ts';
import { helloTo } from '../../shared/protocol/handshake.ts';
import type { LedgerPosition } from '../../shared/protocol/ledger-position.ts';
import { type Decline, Receipt, type Reply } from '../../shared/protocol/messages.ts';
import { opened, sealed } from '../../shared/protocol/signed.ts';
import { RoundIndex, SiteId } from '../../shared/units.ts';
import { headsInMemory, position } from '../support/ledger-positions.ts';
import { offered } from './attacks.ts';
import { about, type Fixture, noLimit, openFixture, payload, round, uploadBy } from './fixture.ts';
import { links } from './links.ts';
import { alpha, beta, coordinator, run, type TestSite } from './site.ts';

const withCode = (code: string): unknown => expect.objectContaining({ code });
const small = payload.slice(0, 5000);

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

  const joined = async (ledger = position(5), who = alpha): Promise<TestSite> => {
    const site = fixture.join({ ...who, ledger });
    await site.reconnected();
    return site;
  };
  /** Alpha's hello with this position, on a connection that nobody else answers. */
  const helloWith = async (
    ledger: LedgerPosition,
    site = fixture.join({ ...alpha, silent: true }),
  ): Promise<Reply> => {
    const parties = { run, site: alpha.site, coordinator: coordinator.publicKey };
    const content = { nonce: '5'.repeat(64), ledger };
    return site.raw(helloTo(await site.notice('challenge'), parties, alpha.identity, content));
  };
  const declined = (site: TestSite, ledger: LedgerPosition): Promise<Reply> => {
    const decline: Decline = { run, round, stage: 'update', code: 'BUDGET_EXCEEDED', detail: 'no', ledger };
    return site.raw({ type: 'decline', signed: sealed(alpha.identity, 'decline', decline) });
  };
  /** Alpha has taken part with five entries. */
  const seenAtFive = async (): Promise<TestSite> => {
    fixture.ask();
    const site = await joined();
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
      const site = await joined();
      expect(await declined(site, copy)).toMatchObject({ code: 'LEDGER_ROLLBACK' });
      expect(asked.pending()).toEqual(['alpha']);
      expect(await declined(site, position(5))).toEqual({ type: 'accepted' });
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
    const other = await joined(position(1, 'c'), beta);
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
    const site = await joined();
    await declined(site, position(6));
    expect(await helloWith(position(5))).toMatchObject({ code: 'LEDGER_ROLLBACK' });
    fixture.ask({ stage: 'signals' });
    const again = await joined(position(7));
    expect(await offered(again, { stage: 'signals', ledger: position(7) })).toMatchObject({ offset: 0 });
    await restart();
    expect(await helloWith(position(6))).toMatchObject({ code: 'LEDGER_ROLLBACK' });
  });

  test('what was said before the ledger moved on may be repeated', async () => {
    const collection = fixture.ask();
    const site = await joined();
    const receipt = await upload(site, uploadBy(alpha));
    fixture.ask({ stage: 'signals' });
    const signals = { about: { ...about, stage: 'signals', ledger: position(8) } } as const;
    await upload(site, uploadBy(alpha, signals));
    expect(await upload(site, uploadBy(alpha))).toEqual(receipt);
    collection.close();
    expect(await upload(site, uploadBy(alpha))).toEqual(receipt);
    fixture.ask({ round: RoundIndex.parse(4) });
    await offered(site, { round: RoundIndex.parse(4), ledger: position(9) });
    expect(fixture.desk.refused()).toEqual({});
    expect(heads.kept.get(alpha.site)).toEqual(position(9));
  });

  test('no byte is asked for before the position of its offer is stored', async () => {
    const stored = deferred();
    const begun = deferred();
    await restart(
      storing(() => {
        begun.resolve();
        return stored.promise;
      }),
    );
    fixture.ask();
    const site = await joined();
    const heard: string[] = [];
    const first = offered(site, {}).then(({ type }) => heard.push(type));
    const second = offered(site, {}).then(({ type }) => heard.push(type));
    await begun.promise;
    // A whole round trip later nothing was answered.
    await site.raw({ type: 'fetch', sha256: sha256('nothing'), offset: 0 });
    expect(heard).toEqual([]);
    stored.resolve();
    await Promise.all([first, second]);
    expect(heard).toEqual(['proceed', 'proceed']);
  });

  test('a position that cannot be stored ends the wait, and is not told to the site', async () => {
    await restart(storing(() => Promise.reject(new Error('disk full at /secret'))));
    const settled = expect(fixture.ask().settled(noLimit)).rejects.toThrow('disk full');
    const site = await joined();
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

  describe('a receipt', () => {
    const said = { run, round, site: alpha.site, stage: 'update', sha256: sha256(payload) };

    test("is the coordinator's word for who sent what, and the ledger it was offered with", async () => {
      const site = await joined();
      fixture.ask();
      const receipt = await upload(site, uploadBy(alpha));
      expect(opened(coordinator.publicKey, 'receipt', Receipt, receipt)).toEqual({
        ...said,
        ledger: position(5),
      });
      expect(() => opened(coordinator.publicKey, 'report', Receipt, receipt)).toThrow(
        withCode('BAD_SIGNATURE'),
      );
    });

    test('is the same for a retried offer, a repeated chunk, and on another connection', async () => {
      const site = await joined();
      fixture.ask({ sizeBytes: () => ({ min: 1, max: small.length }) });
      const sent = uploadBy(alpha, { bytes: small });
      const receipt = await upload(site, sent);
      const [hash, offset] = [sha256(small), 0];
      const chunk = { type: 'chunk', upload: hash, offset, prefixSha256: hash, bytes: small };
      expect(await site.raw(chunk)).toEqual({ type: 'accepted', receipt });
      const lost = site.lost();
      fixture.link.cut();
      await lost;
      await site.reconnected();
      expect(await upload(site, sent)).toEqual(receipt);
      const later = { ...sent, about: { ...about, ledger: position(6) } };
      expect(await upload(site, later)).toEqual(receipt);
    });

    test('comes for an upload that was stored before a restart, and not for a decline', async () => {
      const collection = fixture.ask();
      collection.seed(alpha.site, 77, sha256(payload));
      const site = await joined();
      const receipt = await upload(site, uploadBy(alpha));
      expect(Receipt.parse(JSON.parse(receipt.body))).toMatchObject(said);
      expect(await upload(site, uploadBy(alpha))).toEqual(receipt);
      fixture.ask({ round: RoundIndex.parse(4) });
      const decline = { run, round: 4, stage: 'update', code: '', detail: '', ledger: position(5) };
      const reply = await site.raw({ type: 'decline', signed: sealed(alpha.identity, 'decline', decline) });
      expect(reply).toEqual({ type: 'accepted' });
    });

    test("with another site's name is refused by the site that sent", async () => {
      const site = await joined();
      fixture.ask();
      await upload(site, uploadBy(alpha));
      await expect(upload(site, uploadBy(alpha, { site: SiteId.parse('beta') }))).rejects.toThrow(
        withCode('MESSAGE_INVALID'),
      );
    });
  });
});

function deferred(): { readonly promise: Promise<void>; readonly resolve: () => void } {
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
