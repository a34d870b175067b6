import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { z } from 'zod';
import { fetchBlob, upload } from '../../client/transfer.ts';
import { sha256 } from '../../shared/crypto/encoding.ts';
import { identityFrom } from '../../shared/crypto/identity.ts';
import { helloTo, isWelcomeGenuine } from '../../shared/protocol/handshake.ts';
import { chunkBytes } from '../../shared/protocol/messages.ts';
import { opened } from '../../shared/protocol/signed.ts';
import { RoundIndex } from '../../shared/units.ts';
import { position } from '../support/ledger-positions.ts';
import { withCode } from '../support/with-code.ts';
import { type Fixture, model, modelHash, noLimit, openFixture, round, small, uploadBy } from './fixture.ts';
import { links } from './links.ts';
import { alpha, beta, coordinator, run, type TestSite } from './site.ts';

const content = { nonce: '5'.repeat(64), ledger: position(5) };
const update = uploadBy(alpha);

describe.each(links)('%s', (_name, open) => {
  let fixture: Fixture;
  beforeEach(async () => {
    fixture = await openFixture(open);
  });
  afterEach(() => fixture.close());

  test('a site and the coordinator prove to each other who they are', async () => {
    await fixture.joined(beta);
    await fixture.joined(alpha);
    expect(fixture.desk.connected()).toEqual(['alpha', 'beta']);
    expect(fixture.desk.refused()).toEqual({});
  });

  test("a welcome does not hold under another coordinator's key, or for another nonce", async () => {
    const site = fixture.join({ ...alpha, silent: true });
    const challenge = await site.notice('challenge');
    const parties = { run, site: alpha.site, coordinator: coordinator.publicKey };
    const hello = helloTo(challenge, parties, alpha.identity, content);
    const welcome = await site.raw(hello);
    if (welcome.type !== 'welcome') throw new Error(JSON.stringify(welcome));
    expect(isWelcomeGenuine(welcome, hello, parties, challenge)).toBe(true);
    const impostor = { ...parties, coordinator: identityFrom(new Uint8Array(32).fill(9)).publicKey };
    expect(isWelcomeGenuine(welcome, hello, impostor, challenge)).toBe(false);
    for (const other of [
      { ...hello, nonce: '6'.repeat(64) },
      { ...hello, ledger: position(4) },
    ])
      expect(isWelcomeGenuine(welcome, other, parties, challenge)).toBe(false);
    const knowing = { ...welcome, ledger: position(4) };
    expect(isWelcomeGenuine(knowing, hello, parties, challenge)).toBe(false);
  });

  test('saying hello twice on one connection changes nothing', async () => {
    const site = fixture.join({ ...alpha, silent: true });
    const parties = { run, site: alpha.site, coordinator: coordinator.publicKey };
    const hello = helloTo(await site.notice('challenge'), parties, alpha.identity, content);
    expect(await site.raw(hello)).toEqual(await site.raw(hello));
    await fixture.desk.untilConnected([alpha.site], noLimit);
    expect(fixture.desk.refused()).toEqual({});
  });

  test('an order reaches who is there, who comes later, and who comes back, until it is answered', async () => {
    const early = await fixture.joined(alpha);
    const collection = fixture.ask();
    const { signed } = await early.notice('plan');
    const schema = z.strictObject({ round: RoundIndex });
    expect(opened(coordinator.publicKey, 'plan', schema, signed)).toEqual({ round });
    const late = await fixture.joined(beta);
    expect((await late.notice('plan')).signed).toEqual(signed);
    fixture.link.cut();
    expect((await early.notice('plan')).signed).toEqual(signed);
    expect((await late.notice('plan')).signed).toEqual(signed);
    await Promise.all([early.reconnected(), late.reconnected()]);
    await upload(early, { ...update, bytes: small });
    const lost = Promise.all([early.lost(), late.lost()]);
    fixture.link.cut();
    await lost;
    await late.notice('plan');
    await fixture.desk.untilConnected([alpha.site, beta.site], noLimit);
    // Notices keep their order: after the report, an order would have been seen.
    fixture.desk.announce('report', { round });
    await early.notice('report');
    expect(early.untaken()).toEqual([]);
    expect(collection.pending()).toEqual(['beta']);
  });

  test('an order never comes before the welcome', async () => {
    fixture.ask();
    const site = fixture.join({ ...alpha, silent: true });
    const parties = { run, site: alpha.site, coordinator: coordinator.publicKey };
    const hello = helloTo(await site.notice('challenge'), parties, alpha.identity, content);
    const heard: string[] = [];
    await Promise.all([
      site.notice('plan').then(() => heard.push('plan')),
      site.raw(hello).then(({ type }) => heard.push(type)),
    ]);
    expect(heard).toEqual(['welcome', 'plan']);
  });

  test('a model is fetched in pieces, across a lost connection, without asking twice for a piece', async () => {
    const site = await fixture.joined();
    const request: TestSite['request'] = async (message) => {
      const reply = await site.request(message);
      if (site.sent.length === 1) fixture.link.cut();
      return reply;
    };
    const wanted = { sha256: modelHash, sizeBytes: model.length };
    expect(sha256(await fetchBlob({ ...site, request }, wanted))).toBe(modelHash);
    const offsets = site.sent.map((message) => (message.type === 'fetch' ? message.offset : NaN));
    expect([...new Set(offsets)]).toEqual([0, chunkBytes, 2 * chunkBytes]);
    expect(offsets.filter((offset) => offset === 0)).toHaveLength(1);
  });

  test('the newest connection of a site replaces the one before', async () => {
    const older = await fixture.joined();
    const lost = older.lost();
    const newer = fixture.join();
    await lost;
    await older.close();
    await newer.reconnected();
    await fixture.desk.untilConnected([alpha.site], noLimit);
    expect(fixture.desk.connected()).toEqual(['alpha']);
    fixture.ask();
    await upload(newer, update);
  });

  test('reports reach everybody, and a farewell also who comes too late', async () => {
    const present = [await fixture.joined(alpha), await fixture.joined(beta)];
    fixture.desk.announce('report', { round });
    const [first, second] = await Promise.all(present.map((site) => site.notice('report')));
    expect(first).toEqual(second);
    fixture.desk.announce('farewell', { run, outcome: 'finished' });
    await Promise.all(present.map((site) => site.notice('farewell')));
    const late = fixture.join();
    await late.notice('farewell');
  });

  test('a closed desk ends its connections and takes no more', async () => {
    const site = await fixture.joined();
    const lost = site.lost();
    fixture.desk.close();
    await lost;
    expect(fixture.desk.connected()).toEqual([]);
    await site.lost();
    expect(fixture.desk.connected()).toEqual([]);
  });

  test('a request without a connection is CONNECTION_LOST', async () => {
    const site = await fixture.joined();
    await site.close();
    await expect(site.raw({ type: 'fetch', sha256: modelHash, offset: 0 })).rejects.toThrow(
      withCode('CONNECTION_LOST'),
    );
  });
});
