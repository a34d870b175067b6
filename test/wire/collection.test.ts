import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { upload } from '../../client/transfer.ts';
import { sha256 } from '../../shared/crypto/encoding.ts';
import { ParleyError } from '../../shared/errors.ts';
import { sealed } from '../../shared/protocol/signed.ts';
import { RoundIndex } from '../../shared/units.ts';
import { deferred } from '../support/deferred.ts';
import { withCode } from '../support/with-code.ts';
import {
  about,
  decline,
  declined,
  type Fixture,
  noLimit,
  openFixture,
  payload,
  small,
  uploadBy,
} from './fixture.ts';
import { links } from './links.ts';
import { alpha, beta } from './site.ts';

const update = uploadBy(alpha);

describe.each(links)('%s', (_name, open) => {
  let fixture: Fixture;
  beforeEach(async () => {
    fixture = await openFixture(open);
  });
  afterEach(() => fixture.close());

  test('a site can decline, once for all', async () => {
    const collection = fixture.ask({ sites: [alpha.site] });
    const site = await fixture.joined();
    expect(await declined(site)).toEqual({ type: 'accepted' });
    await collection.settled(noLimit);
    expect(collection.declined).toEqual(new Map([['alpha', decline]]));
    expect(await declined(site, { detail: 'still no' })).toEqual({ type: 'accepted' });
    expect(collection.declined.get(alpha.site)?.detail).toBe('no');
    await expect(upload(site, update)).rejects.toThrow(withCode('EQUIVOCATION'));
    expect(await declined(site, { round: RoundIndex.parse(9) })).toMatchObject({ code: 'STALE_ROUND' });
  });

  test('a site that answered cannot decline any more', async () => {
    fixture.ask();
    const site = await fixture.joined();
    await upload(site, update);
    const reply = await declined(site);
    expect(reply).toMatchObject({ type: 'refused', code: 'EQUIVOCATION' });
  });

  test('the deadline ends the wait, not the collection; progress is told', async () => {
    const collection = fixture.ask();
    const site = await fixture.joined();
    await upload(site, update);
    await collection.settled({ deadlineMs: 1 });
    expect(collection.pending()).toEqual(['beta']);
    const other = await fixture.joined(beta);
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
    const site = await fixture.joined();
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
    const site = await fixture.joined();
    const uploaded = expect(upload(site, update)).rejects.toThrow(withCode('STALE_ROUND'));
    await begun.promise;
    collection.close();
    stored.resolve(1);
    await uploaded;
    expect(collection.answers.size).toBe(0);
  });

  test.each([
    ['a fault of our own', new Error('disk full at /secret')],
    ['a full disk', new ParleyError('DIRECTORY_UNWRITABLE', 'disk full at /secret')],
    ['a damaged database', new ParleyError('RUN_NOT_FOUND', 'disk full at /secret')],
  ])('%s while storing stops the wait and is not told to the site', async (_what, fault) => {
    const collection = fixture.ask({ accept: () => Promise.reject(fault) });
    const settled = expect(collection.settled(noLimit)).rejects.toBe(fault);
    const site = await fixture.joined();
    // A lost connection is one that a site does not end with.
    await expect(upload(site, update)).rejects.toThrow(
      expect.objectContaining({
        code: 'CONNECTION_LOST',
        message: expect.not.stringContaining('secret') as string,
      }),
    );
    await settled;
    expect(fixture.desk.refused()).toEqual({ INTERRUPTED: 1 });
  });

  test('refusals are counted on from before a restart', async () => {
    fixture.desk.restoreRefused({ STALE_ROUND: 2, CORRUPT_CHUNK: 1 });
    const site = await fixture.joined();
    await expect(upload(site, update)).rejects.toThrow(withCode('STALE_ROUND'));
    expect(fixture.desk.refused()).toEqual({ CORRUPT_CHUNK: 1, STALE_ROUND: 3 });
  });
});
