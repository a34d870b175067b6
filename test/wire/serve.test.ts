import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { perturbedCopies } from '../../scenarios/audit/through/copies.ts';
import { answerOf } from '../../shared/model/hardening/answer.ts';
import { trainSurrogate } from '../../shared/model/hardening/surrogate.ts';
import { seededRng } from '../../shared/random/rng.ts';
import { Seed } from '../../shared/units.ts';
import { callerKey, noon, patients, post, served, servedFiles } from '../support/served.ts';
import { temporaryFolder } from '../support/temporary.ts';

const rng = seededRng(Seed.parse(4));
const records = patients.flatMap((patient) => patient.records);
const caller = (change: Record<string, unknown>) => ({
  callers: [{ id: 'clinic', keySha256: callerKey.keySha256, ...change }],
});
const unwatched = { monitor: { policy: { repeats: ['warn'] } } };

describe('a request', () => {
  test('without the key of a caller learns nothing', async () => {
    const server = await served(servedFiles(temporaryFolder()));
    for (const key of ['', callerKey.key.slice(0, -1), `${callerKey.key}x`, callerKey.keySha256])
      expect(await server.ask([records[0]], key)).toMatchObject({
        status: 401,
        body: { error: { code: 'NOT_AUTHENTICATED' } },
      });
    const describing = await fetch(`${server.url}/v1/model`);
    expect(describing.status).toBe(401);
  });

  test('gets an answer for every good record and the faulty field of every other', async () => {
    const server = await served(servedFiles(temporaryFolder(), { answer: [] }));
    const [good] = records;
    const lacking = Object.fromEntries(Object.entries(good!).filter(([field]) => field !== 'heart_rate'));
    const { status, body } = await server.ask([
      { ...good, ward: 'kitchen' },
      good,
      { ...good, age: 'old' },
      lacking,
      { ...good, shoe_size: 43 },
      { ...good, age: Number(good!['age']), lactate: null, ethnicity: 'asian' },
      { ...good, sodium: [1] },
    ]);
    expect(status).toBe(200);
    expect(body.answers!.map((answer) => answer.error?.['field'])).toEqual([
      ...['ward', undefined, 'age', 'heart_rate', 'shoe_size', undefined, 'sodium'],
    ]);
    const [, answer] = body.answers!;
    expect(answer!.probabilities!.reduce((a, b) => a + b)).toBeCloseTo(1, 12);
    expect(answer!.probabilities![answer!.label!]).toBe(Math.max(...answer!.probabilities!));
    expect(body.budget).toEqual({ total: 99_998, today: 9998 });
  });

  test.each([
    ['no JSON', '{"records": [', 400, 'MESSAGE_INVALID'],
    ['no records', { records: [] }, 400, 'MESSAGE_INVALID'],
    ['another shape', { rows: [{}] }, 400, 'MESSAGE_INVALID'],
    ['vectors where the schema is a table', { encoded: [new Array(26).fill(0)] }, 400, 'MESSAGE_INVALID'],
    ['too many records', { records: new Array(6).fill({}) }, 413, 'PAYLOAD_TOO_LARGE'],
    ['too many bytes', { records: [{ sex: 'x'.repeat(5000) }] }, 413, 'PAYLOAD_TOO_LARGE'],
  ])('with %s is refused', async (_, body, status, code) => {
    const limits = { recordsPerRequest: 5, bytesPerRequest: 4000 };
    const server = await served(servedFiles(temporaryFolder(), { limits }));
    expect(await post(server.url, body)).toMatchObject({ status, body: { error: { code } } });
  });

  test('elsewhere is told where to ask', async () => {
    const server = await served(servedFiles(temporaryFolder()));
    const headers = { authorization: `Bearer ${callerKey.key}`, connection: 'close' };
    const lost = await fetch(`${server.url}/predict`, { headers });
    expect(lost.status).toBe(404);
    const model = await fetch(`${server.url}/v1/model`, { headers });
    expect(await model.json()).toMatchObject({
      classes: ['under 5', '5-7', '8-9', '10-12', '13 and over'],
      takesEncoded: false,
    });
  });
});

describe('budgets', () => {
  test('end by day and in all, also over a restart, whatever is sent at once', async () => {
    const files = servedFiles(temporaryFolder(), { budget: { total: 12, perDay: 8 } });
    let now = noon;
    const first = await served(files, () => now);
    const atOnce = await Promise.all([0, 1, 2].map((i) => first.ask(records.slice(3 * i, 3 * i + 3))));
    expect(atOnce.map(({ status }) => status).toSorted()).toEqual([200, 200, 429]);
    await first.close();
    const second = await served(files, () => now);
    expect(await second.ask(records.slice(20, 23))).toMatchObject({
      status: 429,
      body: { error: { code: 'QUERY_BUDGET_SPENT' } },
    });
    expect((await second.ask(records.slice(20, 22))).body.budget).toEqual({ total: 4, today: 0 });
    now = noon + 12 * 3_600_000;
    expect((await second.ask(records.slice(30, 34))).body.budget).toEqual({ total: 0, today: 4 });
    expect((await second.ask(records.slice(40, 41))).status).toBe(429);
  });
});

describe('the same record', () => {
  const of = (sure: number, label: string): Float64Array[] => {
    const stream = rng.fork(label);
    return Array.from({ length: 100 }, () => {
      const logits = Float64Array.from({ length: 5 }, () => stream.uniform());
      logits[stream.uint32() % 5]! += sure;
      return answerOf(logits).probabilities;
    });
  };
  const surrogate = trainSurrogate({ members: of(5, 'in'), heldOut: of(1, 'out') }, rng.fork('attack'));

  test.each([
    ['memguard', { type: 'memguard', budget: 0.3, surrogateFile: 'surrogate.json' }],
    ['output noise', { type: 'output-noise', stdDev: 0.5 }],
  ])(
    'always gets the same answer under %s, also after a restart and from another caller',
    async (name, step) => {
      const folder = temporaryFolder();
      writeFileSync(join(folder, 'surrogate.json'), JSON.stringify(surrogate));
      const plain = await served(servedFiles(temporaryFolder(), { answer: [], ...unwatched }));
      const files = servedFiles(folder, { answer: [step], ...unwatched });
      const first = await served(files);
      const some = records.slice(0, 40);
      const own = (await plain.ask(some)).body.answers!;
      const given = (await first.ask(some)).body.answers!;
      expect(given).not.toEqual(own);
      if (name === 'memguard') {
        expect(given.map(({ label }) => label)).toEqual(own.map(({ label }) => label));
        const argmax = given.map(({ probabilities = [] }) =>
          probabilities.indexOf(Math.max(...probabilities)),
        );
        expect(argmax).toEqual(own.map(({ label }) => label));
      }
      expect((await first.ask(some.toReversed())).body.answers!.toReversed()).toEqual(given);
      await first.close();
      const other = servedFiles(folder, { answer: [step], ...unwatched, ...caller({ id: 'another' }) });
      expect((await (await served(other)).ask(some)).body.answers).toEqual(given);
    },
  );
});

describe('the monitor', () => {
  const strict = { reference: 'reference.csv', policy: { repeats: ['harden', 'block'] } };

  test('answers repeats by labels only, then not at all, and remembers it after a restart', async () => {
    const files = servedFiles(temporaryFolder(), { monitor: strict });
    const server = await served(files);
    const standings: string[] = [];
    let asked = 0;
    for (let status = 200; status === 200 && asked < 200; asked++) {
      const { body, ...reply } = await server.ask([records[0]]);
      status = reply.status;
      standings.push(body.standing ?? body.error!.code);
      if (body.standing === 'hardened')
        expect(body.answers![0]!.probabilities!.toSorted()).toEqual([0, 0, 0, 0, 1]);
    }
    expect([...new Set(standings)]).toEqual(['fine', 'hardened', 'CALLER_BLOCKED']);
    expect(asked).toBeLessThan(60);
    await server.close();
    const again = await served(files);
    expect(await again.ask([records[5]])).toMatchObject({ status: 403 });
    await again.close();
    const forgiven = servedFiles(join(files.config, '..'), { ...caller({ forgivenBelow: 1000 }) });
    const pardoned = await served(forgiven);
    expect((await pardoned.ask([records[5]])).body).toMatchObject({ standing: 'fine' });
  });

  test('flags a label-only attack on perturbed copies within 200 records', async () => {
    const server = await served(servedFiles(temporaryFolder()));
    let asked = 0;
    let noticed: readonly string[] = [];
    for (let target = 0; noticed.length === 0 && asked < 200; target++) {
      const copies = perturbedCopies(records[50 * target]!, records, 20, rng.fork(`target ${target}`));
      const { body } = await server.ask([records[50 * target], ...copies.slice(0, 19)]);
      asked += 20;
      noticed = body.warnings!.map(({ detector }) => detector);
    }
    expect(noticed).toEqual(['copies']);
    expect(asked).toBeLessThanOrEqual(200);
  });

  test('without a reference says what it does not look for', async () => {
    const server = await served(servedFiles(temporaryFolder(), { monitor: {} }));
    expect(server.notes.join()).toContain('only repeats are noticed');
  });
});

test('a caller who goes away in the middle of a request harms nobody', async () => {
  const server = await served(servedFiles(temporaryFolder()));
  const headers = { authorization: `Bearer ${callerKey.key}`, 'content-length': '1000' };
  const { port } = new URL(server.url);
  const leaving = request({ host: '127.0.0.1', port, path: '/v1/predictions', method: 'POST', headers });
  const gone = new Promise((resolve) => leaving.on('error', resolve));
  await new Promise((resolve) => leaving.write('{"records": [', resolve));
  leaving.destroy(new Error('leaving'));
  await gone;
  expect((await server.ask([records[0]])).status).toBe(200);
});
