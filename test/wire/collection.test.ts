import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fetchBlob, upload } from '../../client/transfer.ts';
import { sha256 } from '../../shared/crypto/encoding.ts';
import { ParleyError } from '../../shared/errors.ts';
import { chunkBytes, type Decline } from '../../shared/protocol/messages.ts';
import { sealed } from '../../shared/protocol/signed.ts';
import { RoundIndex } from '../../shared/units.ts';
import { position } from '../support/ledger-positions.ts';
import {
  about,
  type Fixture,
  model,
  modelHash,
  noLimit,
  openFixture,
  payload,
  round,
  uploadBy,
} from './fixture.ts';
import { links } from './links.ts';
import { alpha, beta, run, type TestSite } from './site.ts';

const withCode = (code: string): unknown => expect.objectContaining({ code });
const update = uploadBy(alpha);
const small = payload.slice(0, 5000);

describe.each(links)('%s', (_name, open) => {
  let fixture: Fixture;
  beforeEach(async () => {
    fixture = await openFixture(open);
  });
  afterEach(() => fixture.close());

  const joined = async (who = alpha): Promise<TestSite> => {
    const site = fixture.join(who);
    await fixture.desk.untilConnected([who.site], noLimit);
    await site.reconnected();
    return site;
  };

  test('an upload goes on after a lost connection where it ended', async () => {
    const collection = fixture.ask({ sites: [alpha.site] });
    const site = await joined();
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
    const site = await joined();
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
    const site = await joined();
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
    const site = await joined();
    await upload(site, update);
    expect(site.sent).toHaveLength(1);
    expect(collection.answers).toEqual(new Map([['alpha', 77]]));
    await expect(upload(site, { ...update, bytes: small })).rejects.toThrow(withCode('EQUIVOCATION'));
  });

  test('another upload after the first, or while it is under way, is EQUIVOCATION', async () => {
    fixture.ask();
    const site = await joined();
    const offer = { ...about, sha256: sha256(payload), sizeBytes: payload.length };
    const signed = sealed(alpha.identity, 'offer', offer);
    expect(await site.raw({ type: 'offer', signed })).toEqual({ type: 'proceed', offset: 0 });
    await expect(upload(site, { ...update, bytes: small })).rejects.toThrow(withCode('EQUIVOCATION'));
    await upload(site, update);
    await expect(upload(site, { ...update, bytes: small })).rejects.toThrow(withCode('EQUIVOCATION'));
    expect(fixture.desk.refused()).toEqual({ EQUIVOCATION: 2 });
  });

  test('a site can decline, once for all', async () => {
    const collection = fixture.ask({ sites: [alpha.site] });
    const site = await joined();
    const decline: Decline = {
      run,
      round,
      stage: 'update',
      code: 'BUDGET_EXCEEDED',
      detail: 'no',
      ledger: position(5),
    };
    const send = (body: Decline) =>
      site.raw({ type: 'decline', signed: sealed(alpha.identity, 'decline', body) });
    expect(await send(decline)).toEqual({ type: 'accepted' });
    await collection.settled(noLimit);
    expect(collection.declined).toEqual(new Map([['alpha', decline]]));
    expect(await send({ ...decline, detail: 'still no' })).toEqual({ type: 'accepted' });
    expect(collection.declined.get(alpha.site)?.detail).toBe('no');
    await expect(upload(site, update)).rejects.toThrow(withCode('EQUIVOCATION'));
    expect(await send({ ...decline, round: RoundIndex.parse(9) })).toMatchObject({ code: 'STALE_ROUND' });
  });

  test('a site that answered cannot decline any more', async () => {
    fixture.ask();
    const site = await joined();
    await upload(site, update);
    const decline = {
      run,
      round,
      stage: 'update',
      code: 'BUDGET_EXCEEDED',
      detail: 'no',
      ledger: position(5),
    };
    const reply = await site.raw({ type: 'decline', signed: sealed(alpha.identity, 'decline', decline) });
    expect(reply).toMatchObject({ type: 'refused', code: 'EQUIVOCATION' });
  });

  test('the deadline ends the wait, not the collection; progress is told', async () => {
    const collection = fixture.ask();
    const site = await joined();
    await upload(site, update);
    await collection.settled({ deadlineMs: 1 });
    expect(collection.pending()).toEqual(['beta']);
    const other = await joined(beta);
    const seen: number[][] = [];
    const settled = collection.settled({ ...noLimit, progress: (...of) => void seen.push(of) });
    await upload(other, { ...update, site: beta.site, identity: beta.identity });
    await settled;
    expect(seen[0]).toEqual([1, 2]);
    expect(seen.at(-1)).toEqual([2, 2]);
  });

  test('an abort ends the wait', async () => {
    const abort = new AbortController();
    const waits = Promise.all([
      fixture.ask().settled({ ...noLimit, signal: abort.signal }),
      fixture.desk.untilConnected([alpha.site], { ...noLimit, signal: abort.signal }),
    ]);
    abort.abort();
    await waits;
    await fixture.ask().settled({ ...noLimit, signal: abort.signal });
  });

  test('a late upload for a closed collection is STALE_ROUND', async () => {
    const collection = fixture.ask();
    const site = await joined();
    const offer = { ...about, sha256: sha256(payload), sizeBytes: payload.length };
    await site.raw({ type: 'offer', signed: sealed(alpha.identity, 'offer', offer) });
    collection.close();
    await expect(upload(site, update)).rejects.toThrow(withCode('STALE_ROUND'));
    const chunk = { upload: offer.sha256, offset: 0, prefixSha256: sha256(small), bytes: small };
    expect(await site.raw({ type: 'chunk', ...chunk })).toMatchObject({ code: 'STALE_ROUND' });
  });

  test('a collection that closes while an upload is stored does not take it', async () => {
    const begun = deferred<undefined>();
    const stored = deferred<number>();
    const collection = fixture.ask({
      accept: () => {
        begun.resolve(undefined);
        return stored.promise.then((value) => () => value);
      },
    });
    const site = await joined();
    const uploaded = expect(upload(site, update)).rejects.toThrow(withCode('STALE_ROUND'));
    await begun.promise;
    collection.close();
    stored.resolve(1);
    await uploaded;
    expect(collection.answers.size).toBe(0);
  });

  test('an upload that accepting refuses can be corrected', async () => {
    const collection = fixture.ask({
      accept: (_site, bytes) => {
        if (bytes.length === small.length) return () => 1;
        throw new ParleyError('NON_FINITE', 'refused by the test');
      },
    });
    const site = await joined();
    await expect(upload(site, update)).rejects.toThrow(withCode('NON_FINITE'));
    await upload(site, { ...update, bytes: small });
    expect(collection.answers.size).toBe(1);
    expect(fixture.desk.refused()).toEqual({ NON_FINITE: 1 });
  });

  test('a fault of our own while storing stops the wait and is not told to the site', async () => {
    const collection = fixture.ask({
      accept: () => Promise.reject(new Error('disk full at /secret')),
    });
    const settled = expect(collection.settled(noLimit)).rejects.toThrow('disk full');
    const site = await joined();
    await expect(upload(site, update)).rejects.toThrow(
      expect.objectContaining({
        code: 'INTERRUPTED',
        message: expect.not.stringContaining('secret') as string,
      }),
    );
    await settled;
  });

  test('equal bytes in two rounds go each to its own', async () => {
    const first = fixture.ask({ stage: 'signals', sites: [alpha.site] });
    const site = await joined();
    await upload(site, { ...update, about: { ...about, stage: 'signals' } });
    first.close();
    const next = RoundIndex.parse(4);
    const second = fixture.ask({ stage: 'signals', round: next, sites: [alpha.site] });
    await upload(site, { ...update, about: { ...about, stage: 'signals', round: next } });
    expect([first.answers.size, second.answers.size]).toEqual([1, 1]);
  });

  test('refusals are counted on from before a restart', async () => {
    fixture.desk.restoreRefused({ STALE_ROUND: 2, CORRUPT_CHUNK: 1 });
    const site = await joined();
    await expect(upload(site, update)).rejects.toThrow(withCode('STALE_ROUND'));
    expect(fixture.desk.refused()).toEqual({ CORRUPT_CHUNK: 1, STALE_ROUND: 3 });
  });
});

function deferred<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => undefined;
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
