import { appendFileSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { appended } from '../../coordinator/serve/query-log.ts';
import type { Sha256 } from '../../shared/units.ts';
import { callerKey, noon, patients, served, servedFiles } from '../support/served.ts';
import { refusalOf, temporaryFolder } from '../support/temporary.ts';

const records = patients.flatMap((patient) => patient.records);

describe('the query log', () => {
  const logOf = ({ config }: { config: string }): string => join(config, '..', 'state', 'queries.jsonl');

  test('holds no value of any record, and nobody else may read it', async () => {
    const files = servedFiles(temporaryFolder());
    const server = await served(files);
    await server.ask([{ ...records[0], glucose: 123.456 }]);
    await server.close();
    const text = readFileSync(logOf(files), 'utf8');
    expect(text.trim().split('\n')).toHaveLength(2);
    expect(text).not.toContain('123.456');
    for (const field of Object.keys(records[0]!)) expect(text).not.toContain(`"${field}"`);
    expect(statSync(logOf(files)).mode & 0o077).toBe(0);
    expect(statSync(join(files.config, '..', 'state', 'secret')).mode & 0o077).toBe(0);
  });

  test.each([
    ['an altered line', (text: string) => text.replace('"answered":2', '"answered":1')],
    ['a missing line', (text: string) => text.split('\n').toSpliced(1, 1).join('\n')],
    [
      'lines in another order',
      (text: string) =>
        text
          .split('\n')
          .toSpliced(0, 2, ...text.split('\n').slice(0, 2).reverse())
          .join('\n'),
    ],
    ['something else', (text: string) => `${text}{"position":9}\n`],
  ])('with %s keeps the server from starting', async (_, change) => {
    const files = servedFiles(temporaryFolder());
    const server = await served(files);
    await server.ask(records.slice(0, 2));
    await server.ask(records.slice(2, 4));
    await server.close();
    const text = readFileSync(logOf(files), 'utf8');
    writeFileSync(logOf(files), change(text));
    expect(await refusalOf(served(files))).toMatchObject({ code: 'QUERY_LOG_CORRUPT' });
    writeFileSync(logOf(files), text);
    await (await served(files)).close();
  });

  test('loses only an unfinished last line to a power cut', async () => {
    const files = servedFiles(temporaryFolder());
    const server = await served(files);
    await server.ask(records.slice(0, 3));
    await server.ask(records.slice(3, 5));
    await server.close();
    truncateSync(logOf(files), statSync(logOf(files)).size - 10);
    const again = await served(files);
    expect(again.notes.join()).toContain('unfinished last line');
    expect((await again.ask(records.slice(5, 6))).body.budget).toEqual({ total: 99_996, today: 9996 });
    await again.close();
    expect((await served(files)).notes).toEqual([]);
  });

  test('that another program writes to stops all answers, until that one and the server are ended', async () => {
    const files = servedFiles(temporaryFolder());
    const server = await served(files);
    await server.ask(records.slice(0, 1));
    const text = readFileSync(logOf(files), 'utf8');
    const lines = text.trim().split('\n');
    const head = { length: lines.length, hash: (JSON.parse(lines.at(-1)!) as { hash: Sha256 }).hash };
    const start = { type: 'start' as const, timeMs: noon, modelSha256: head.hash };
    appendFileSync(logOf(files), `${appended(head, start).line}\n`);
    const { status, body } = await server.ask(records.slice(0, 1));
    expect([status, body.error?.code]).toEqual([503, 'QUERY_LOG_CORRUPT']);
    expect(body.error?.message).toMatch(/another program .* End the other program.* start this one again/);
    expect(body.error?.message).not.toContain('restored');
    await server.close();
    const again = await served(files);
    expect((await again.ask(records.slice(1, 2))).body.budget?.total).toBe(99_998);
  });
});

describe('a server is refused', () => {
  test.each([
    ['beyond loopback without TLS', { listen: { host: '0.0.0.0', port: 0 } }, 'INSECURE_URL'],
    [
      'with steps that do not combine',
      { answer: [{ type: 'label-only' }, { type: 'rounding', decimals: 1 }] },
      'CONFIG_INVALID',
    ],
    ['with a step that is none', { hardened: [{ type: 'silence' }] }, 'CONFIG_INVALID'],
    [
      'without its surrogate',
      { answer: [{ type: 'memguard', surrogateFile: 'none.json' }] },
      'FILE_NOT_FOUND',
    ],
    [
      'with a caller twice',
      { callers: [0, 1].map(() => ({ id: 'a', keySha256: callerKey.keySha256 })) },
      'CONFIG_INVALID',
    ],
  ])('%s', async (_, change, code) => {
    expect(await refusalOf(served(servedFiles(temporaryFolder(), change)))).toMatchObject({ code });
  });

  test('for a schema that the model was not trained with', async () => {
    const files = servedFiles(temporaryFolder());
    const text = readFileSync(files.config, 'utf8');
    writeFileSync(files.config, text.replace('hospital-cohort-medications', 'hospital-cohort'));
    expect(await refusalOf(served(files))).toMatchObject({ code: 'MODEL_INVALID' });
  });
});
