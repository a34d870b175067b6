import * as bullmq from 'bullmq';
import * as ioredis from 'ioredis';
import { expect, test } from 'vitest';
import { connect } from '../../../scenarios/sweep/queue-connection.ts';
import {
  type BullMq,
  type IoRedis,
  loadQueueLibrary,
  optionalPackage,
} from '../../../scenarios/sweep/queue-library.ts';
import { freePort } from '../../support/processes.ts';
import { refusalOf } from '../../support/temporary.ts';

test('what is used of the optional packages is theirs', async () => {
  // The compiler holds our interfaces against the packages' own types.
  const known: { bullmq: BullMq; ioredis: IoRedis } = { bullmq, ioredis };
  const loaded = await loadQueueLibrary();
  expect(loaded.bullmq.Worker).toBe(bullmq.Worker);
  expect(loaded.ioredis.Redis).toBe(known.ioredis.Redis);
});

test('a package that is missing is named, with what to do', async () => {
  expect(await refusalOf(optionalPackage('a-package-that-nobody-has'))).toMatchObject({
    code: 'BACKEND_UNAVAILABLE',
    message: expect.stringMatching(/a-package-that-nobody-has.*bullmq and ioredis.*npm ci/s) as string,
  });
});

test.each(['', 'localhost:6379', 'http://localhost'])('"%s" is no URL of Redis', async (url) => {
  expect(await refusalOf(connect({ url, version: '', lockSeconds: 1, note: () => undefined }))).toMatchObject(
    {
      code: 'CONFIG_INVALID',
    },
  );
});

test('a server that does not answer is an error at once, without the password', async () => {
  const url = `redis://user:secret@127.0.0.1:${await freePort()}`;
  const refusal = await refusalOf(connect({ url, version: '', lockSeconds: 1, note: () => undefined }));
  expect(refusal).toMatchObject({ code: 'CONNECTION_LOST' });
  expect(String(refusal)).not.toContain('secret');
});
