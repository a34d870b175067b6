import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { z } from 'zod';
import { type ParleyProcess, parley, parleyDone } from '../support/processes.ts';
import { callerKey, patients, post, servedFiles } from '../support/served.ts';
import { temporaryFolder } from '../support/temporary.ts';

const Serving = z.object({ serving: z.object({ host: z.string(), port: z.number() }) });

async function urlOf(server: ParleyProcess): Promise<string> {
  const line = await server.waitFor((text) => text.includes('"serving"'));
  const { host, port } = Serving.parse(JSON.parse(line)).serving;
  return `http://${host}:${port}`;
}

test('a second server on one directory is refused by a code, and the first goes on', async () => {
  const { model, config } = servedFiles(temporaryFolder());
  const records = patients.flatMap((patient) => patient.records);
  const first = parley('serve', model, '--config', config, '--json');
  const url = await urlOf(first);
  expect((await post(url, { records: records.slice(0, 2) })).body.budget?.total).toBe(99_998);
  const log = join(config, '..', 'state', 'queries.jsonl');
  const before = readFileSync(log, 'utf8');
  const second = parley('serve', model, '--config', config);
  onTestFinished(async () => {
    await Promise.all([first, second].map((server) => server.kill('SIGKILL')));
  });
  // One that starts is found here, rather than waited for without end.
  await expect(second.waitFor((line) => line.startsWith('serving'))).rejects.toThrow('ended first');
  expect(await second.exited, second.stderr()).toBe(7);
  expect(second.stderr()).toMatch(/DIRECTORY_UNWRITABLE: .*state is in use: a server .* end that first/);
  expect(readFileSync(log, 'utf8')).toBe(before);
  expect(await post(url, { records: records.slice(2, 3) })).toMatchObject({
    status: 200,
    body: { budget: { total: 99_997 } },
  });
  expect(await first.kill('SIGINT')).toBe(0);
});

test('a server that is killed has forgotten no budget, and one that is stopped ends well', async () => {
  const { model, config } = servedFiles(temporaryFolder());
  const made = await parleyDone('serve-key', '--json');
  const { key, keySha256 } = z
    .object({ key: z.string(), keySha256: z.string() })
    .parse(JSON.parse(made.stdout));
  writeFileSync(config, readFileSync(config, 'utf8').replace(callerKey.keySha256, keySha256));
  const records = patients.flatMap((patient) => patient.records);
  const killed = parley('serve', model, '--config', config, '--json');
  const before = await post(await urlOf(killed), { records: records.slice(0, 7) }, key);
  expect(before.body.budget).toEqual({ total: 99_993, today: 9993 });
  expect(await killed.kill('SIGKILL')).toBe(null);
  const again = parley('serve', model, '--config', config, '--json');
  const url = await urlOf(again);
  expect((await post(url, { records: records.slice(7, 8) }, key)).body.budget?.total).toBe(99_992);
  expect((await post(url, { records: records.slice(8, 9) }, callerKey.key)).status).toBe(401);
  expect(await again.kill('SIGINT')).toBe(0);
});
