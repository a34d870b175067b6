import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { upload } from '../../client/transfer.ts';
import { sha256 } from '../../shared/crypto/encoding.ts';
import { Receipt } from '../../shared/protocol/messages.ts';
import { opened } from '../../shared/protocol/signed.ts';
import { RoundIndex, SiteId } from '../../shared/units.ts';
import { headsInMemory, position } from '../support/ledger-positions.ts';
import { withCode } from '../support/with-code.ts';
import { offered } from './attacks.ts';
import { about, declined, type Fixture, openFixture, payload, round, small, uploadBy } from './fixture.ts';
import { links } from './links.ts';
import { alpha, coordinator, run } from './site.ts';

describe.each(links)('%s', (_name, open) => {
  let fixture: Fixture;
  let heads = headsInMemory();
  beforeEach(async () => {
    heads = headsInMemory();
    fixture = await openFixture(open, { heads });
  });
  afterEach(() => fixture.close());

  test('what was said before the ledger moved on may be repeated', async () => {
    const collection = fixture.ask();
    const site = await fixture.joined();
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

  describe('a receipt', () => {
    const said = { run, round, site: alpha.site, stage: 'update', sha256: sha256(payload) };

    test("is the coordinator's word for who sent what, and the ledger it was offered with", async () => {
      const site = await fixture.joined();
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
      const site = await fixture.joined();
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
      const site = await fixture.joined();
      const receipt = await upload(site, uploadBy(alpha));
      expect(Receipt.parse(JSON.parse(receipt.body))).toMatchObject(said);
      expect(await upload(site, uploadBy(alpha))).toEqual(receipt);
      fixture.ask({ round: RoundIndex.parse(4) });
      const reply = await declined(site, { round: RoundIndex.parse(4), code: '', detail: '' });
      expect(reply).toEqual({ type: 'accepted' });
    });

    test("with another site's name is refused by the site that sent", async () => {
      const site = await fixture.joined();
      fixture.ask();
      await upload(site, uploadBy(alpha));
      await expect(upload(site, uploadBy(alpha, { site: SiteId.parse('beta') }))).rejects.toThrow(
        withCode('MESSAGE_INVALID'),
      );
    });
  });
});
