import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { upload } from '../../client/transfer.ts';
import { chunkBytes, type Reply } from '../../shared/protocol/messages.ts';
import { type Attack, afterHello, beforeHello, chunk, offered } from './attacks.ts';
import { type Fixture, noLimit, openFixture, payload, uploadBy } from './fixture.ts';
import { links } from './links.ts';
import { alpha, beta, type TestSite } from './site.ts';

describe.each(links)('%s', (_name, open) => {
  let fixture: Fixture;
  const clock = createClock();
  beforeEach(async () => {
    fixture = await openFixture(open, { after: clock.after });
  });
  afterEach(() => fixture.close());

  const attacked = async (site: TestSite, attack: Attack): Promise<Reply> => {
    const collection = fixture.ask();
    const honest = fixture.join(beta);
    await honest.reconnected();
    const [reply] = await Promise.all([attack(site, fixture), upload(honest, uploadBy(beta))]);
    expect(collection.answers).toEqual(new Map([['beta', payload.length]]));
    return reply;
  };

  test.each(beforeHello())('%s is %s, counted, and nobody else notices', async (_what, code, attack) => {
    const site = fixture.join({ ...alpha, silent: true });
    const reply = await attacked(site, attack);
    expect(reply).toMatchObject({ type: 'refused', code });
    expect(fixture.desk.refused()).toEqual({ [code]: 1 });
    expect(fixture.desk.connected()).toEqual(['beta']);
  });

  test.each(afterHello())('%s is %s, counted, and nobody else notices', async (_what, code, attack) => {
    const site = fixture.join(alpha);
    await site.reconnected();
    expect(await attacked(site, attack)).toMatchObject({ type: 'refused', code });
    expect(fixture.desk.refused()).toEqual({ [code]: 1 });
  });

  test('a claim of a gigabyte allocates nothing', async () => {
    fixture.ask({ sizeBytes: () => ({ min: 1, max: 2 ** 31 }) });
    const site = fixture.join(alpha);
    await site.reconnected();
    const before = process.memoryUsage().arrayBuffers;
    expect(await offered(site, { sizeBytes: 2 ** 40 })).toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
    // Even one within bounds takes memory with its first good chunk only.
    expect(await offered(site, { sizeBytes: 2 ** 30 })).toEqual({ type: 'proceed', offset: 0 });
    expect(await chunk(site, { bytes: new Uint8Array(chunkBytes) })).toMatchObject({ code: 'CORRUPT_CHUNK' });
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 ** 26);
  });

  test('an upload whose whole hash is wrong starts again from nothing', async () => {
    fixture.ask();
    const site = fixture.join(alpha);
    await site.reconnected();
    await offered(site, { sizeBytes: chunkBytes });
    expect(await chunk(site)).toMatchObject({ code: 'CORRUPT_CHUNK' });
    expect(await offered(site, { sizeBytes: chunkBytes })).toEqual({ type: 'proceed', offset: 0 });
  });

  test('a site that is not asked is told so', async () => {
    fixture.ask({ sites: [beta.site] });
    const site = fixture.join(alpha);
    await site.reconnected();
    expect(await offered(site, {})).toMatchObject({ code: 'STALE_ROUND' });
  });

  test('a chunk for another place is told where to go on', async () => {
    fixture.ask();
    const site = fixture.join(alpha);
    await site.reconnected();
    await offered(site, {});
    expect(await chunk(site, { offset: chunkBytes })).toEqual({ type: 'proceed', offset: 0 });
    expect(await chunk(site)).toEqual({ type: 'proceed', offset: chunkBytes });
    expect(await chunk(site)).toEqual({ type: 'proceed', offset: chunkBytes });
    expect(fixture.desk.refused()).toEqual({});
  });

  test('twenty refusals end a connection, after the last was heard', async () => {
    const site = fixture.join(alpha);
    await site.reconnected();
    const lost = site.lost();
    for (let i = 0; i < 20; i++) expect(await site.raw(i)).toMatchObject({ code: 'MESSAGE_INVALID' });
    await lost;
    expect(fixture.desk.refused()).toEqual({ MESSAGE_INVALID: 20 });
    await site.reconnected();
  });

  test('who does not say hello in time is cut off; who does is not', async () => {
    const honest = fixture.join(beta);
    const silent = fixture.join({ ...alpha, silent: true });
    await Promise.all([honest.reconnected(), silent.notice('challenge')]);
    const lost = silent.lost();
    clock.pass(4999);
    expect(fixture.desk.connected()).toEqual(['beta']);
    clock.pass(1);
    await lost;
    expect(fixture.desk.connected()).toEqual(['beta']);
    fixture.ask();
    await upload(honest, uploadBy(beta));
  });

  test('an upload under way does not pass to whoever else connects', async () => {
    fixture.ask();
    const [site, other] = [fixture.join(alpha), fixture.join(beta)];
    await Promise.all([site.reconnected(), other.reconnected()]);
    await fixture.desk.untilConnected([alpha.site, beta.site], noLimit);
    await offered(site, {});
    expect(await chunk(other)).toMatchObject({ code: 'STALE_ROUND' });
  });
});

/** Time that passes when the test says so. */
function createClock(): {
  after: (ms: number, action: () => void) => () => void;
  pass: (ms: number) => void;
} {
  const timers = new Set<{ leftMs: number; readonly action: () => void }>();
  return {
    after: (leftMs, action) => {
      const timer = { leftMs, action };
      timers.add(timer);
      return () => timers.delete(timer);
    },
    pass: (ms) => {
      for (const timer of [...timers]) {
        timer.leftMs -= ms;
        if (timer.leftMs > 0 || !timers.delete(timer)) continue;
        timer.action();
      }
    },
  };
}
