import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fetchBlob, upload } from '../../client/transfer.ts';
import { sha256 } from '../../shared/crypto/encoding.ts';
import { ParleyError } from '../../shared/errors.ts';
import { chunkBytes } from '../../shared/protocol/messages.ts';
import { sealed } from '../../shared/protocol/signed.ts';
import { RoundIndex } from '../../shared/units.ts';
import { deferred } from '../support/deferred.ts';
import { withCode } from '../support/with-code.ts';
import {
  about,
  type Fixture,
  model,
  modelHash,
  noLimit,
  openFixture,
  payload,
  small,
  uploadBy,
} from './fixture.ts';
import { links } from './links.ts';
import { alpha, type TestSite } from './site.ts';

const update = uploadBy(alpha);

describe.each(links)('%s', (_name, open) => {
  let fixture: Fixture;
  beforeEach(async () => {
    fixture = await openFixture(open);
  });
  afterEach(() => fixture.close());

  test('an upload goes on after a lost connection where it ended', async () => {
    const collection = fixture.ask({ sites: [alpha.site] });
    const site = await fixture.joined();
    const chunks = (): number[] =>
      site.sent.flatMap((message) => (message.type === 'chunk' ? [message.offset / chunkBytes] : []));
    const request: TestSite['request'] = async (message) => {
      const reply = await site.request(message);
      if (chunks().length === 2 && message.type === 'chunk') fixture.link.cut();
      return reply;
    };
    await upload({ ...site, request }, update);
    await collection.settled(noLimit);
    expect(collection.answers).toEqual(new Map([['alpha', payload.length]]));
    expect([...new Set(chunks())]).toEqual([0, 1, 2, 3]);
    expect(chunks().filter((chunk) => chunk < 2)).toEqual([0, 1]);
    expect(fixture.desk.refused()).toEqual({});
  });

  test('what arrives is what was sent, and it is accepted only after it was stored', async () => {
    const begun = deferred<Uint8Array>();
    const stored = deferred<number>();
    const collection = fixture.ask({
      accept: (_site, bytes) => {
        begun.resolve(bytes);
        return stored.promise.then((value) => () => value);
      },
    });
    const site = await fixture.joined();
    let isAccepted = false;
    const uploaded = upload(site, update).then(() => {
      isAccepted = true;
    });
    expect(sha256(await begun.promise)).toBe(sha256(payload));
    // A whole round trip later the upload is still under way; an identical offer waits with it.
    const again = upload(site, update);
    await fetchBlob(site, { sha256: modelHash, sizeBytes: model.length });
    expect([isAccepted, collection.answers.size]).toEqual([false, 0]);
    stored.resolve(1);
    await Promise.all([uploaded, again]);
    expect(collection.answers).toEqual(new Map([['alpha', 1]]));
  });

  test('the same upload again is accepted without being sent, also after the collection closed', async () => {
    const collection = fixture.ask();
    const site = await fixture.joined();
    await upload(site, update);
    const count = site.sent.length;
    await upload(site, update);
    collection.close();
    await upload(site, update);
    expect(site.sent.slice(count).map(({ type }) => type)).toEqual(['offer', 'offer']);
  });

  test('after a restart, a stored upload offered again is accepted without being sent', async () => {
    const collection = fixture.ask({ sites: [alpha.site] });
    collection.seed(alpha.site, 77, sha256(payload));
    await collection.settled(noLimit);
    const site = await fixture.joined();
    await upload(site, update);
    expect(site.sent).toHaveLength(1);
    expect(collection.answers).toEqual(new Map([['alpha', 77]]));
    await expect(upload(site, { ...update, bytes: small })).rejects.toThrow(withCode('EQUIVOCATION'));
  });

  test('another upload after the first, or while it is under way, is EQUIVOCATION', async () => {
    fixture.ask();
    const site = await fixture.joined();
    const offer = { ...about, sha256: sha256(payload), sizeBytes: payload.length };
    const signed = sealed(alpha.identity, 'offer', offer);
    expect(await site.raw({ type: 'offer', signed })).toEqual({ type: 'proceed', offset: 0 });
    await expect(upload(site, { ...update, bytes: small })).rejects.toThrow(withCode('EQUIVOCATION'));
    await upload(site, update);
    await expect(upload(site, { ...update, bytes: small })).rejects.toThrow(withCode('EQUIVOCATION'));
    expect(fixture.desk.refused()).toEqual({ EQUIVOCATION: 2 });
  });

  test('an upload that accepting refuses can be corrected', async () => {
    const collection = fixture.ask({
      accept: (_site, bytes) => {
        if (bytes.length === small.length) return () => 1;
        throw new ParleyError('NON_FINITE', 'refused by the test');
      },
    });
    const site = await fixture.joined();
    await expect(upload(site, update)).rejects.toThrow(withCode('NON_FINITE'));
    await upload(site, { ...update, bytes: small });
    expect(collection.answers.size).toBe(1);
    expect(fixture.desk.refused()).toEqual({ NON_FINITE: 1 });
  });

  test('equal bytes in two rounds go each to its own', async () => {
    const first = fixture.ask({ stage: 'signals', sites: [alpha.site] });
    const site = await fixture.joined();
    await upload(site, { ...update, about: { ...about, stage: 'signals' } });
    first.close();
    const next = RoundIndex.parse(4);
    const second = fixture.ask({ stage: 'signals', round: next, sites: [alpha.site] });
    await upload(site, { ...update, about: { ...about, stage: 'signals', round: next } });
    expect([first.answers.size, second.answers.size]).toEqual([1, 1]);
  });
});
