import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { zipSync } from 'fflate';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DataSet, dataSets, describeDataSets } from '../../../scenarios/data/catalog.ts';
import {
  dataCacheDirectory,
  dataDirectories,
  resolveDataFile,
} from '../../../scenarios/data/data-directory.ts';
import { dataSetNamed, fetchDataSet } from '../../../scenarios/data/fetch.ts';

const real = process.env['PARLEY_DATA'] ?? '../shared/data';
const sha256 = (content: Uint8Array | string): string => createHash('sha256').update(content).digest('hex');
const containing = (text: string): unknown => expect.stringContaining(text);
const caught = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'nothing thrown',
    (error: unknown) => error,
  );

let directory = '';
let server: Server | undefined;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'parley-data-'));
});
afterEach(async () => {
  rmSync(directory, { recursive: true });
  if (server !== undefined) await new Promise((resolve) => server?.close(resolve));
  server = undefined;
});

const serve = (listener: RequestListener): Promise<string> =>
  new Promise((resolve) => {
    const started = createServer((request, response) => {
      response.setHeader('connection', 'close');
      listener(request, response);
    });
    server = started;
    started.listen(0, '127.0.0.1', () => {
      const address = started.address();
      resolve(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/mirror/`);
    });
  });

const table = 'a,b\n1,2\n';
const archive = Buffer.from(
  zipSync({
    'folder/table.csv': Buffer.from(table),
    'site.data': Buffer.from('3,4\n'),
    'else.txt': Buffer.from('x'),
  }),
);
const small: DataSet = {
  name: 'small',
  description: 'd',
  licence: 'l',
  citation: 'c',
  page: 'https://publisher.example/small',
  origin: { type: 'zip', path: '/static/small.zip' },
  files: [
    { path: 'small/table.csv.gz', member: 'table.csv', contentBytes: 8, contentSha256: sha256(table) },
    {
      path: 'small/site.csv',
      member: 'site.data',
      headerRow: 'a,b\n',
      contentBytes: 8,
      contentSha256: sha256('a,b\n3,4\n'),
    },
  ],
};

describe('fetching a data set', () => {
  test('checks, converts and places every file, and downloads nothing the second time', async () => {
    const asked: (string | undefined)[] = [];
    const mirror = await serve((request, response) => {
      asked.push(request.url);
      response.end(archive);
    });
    const paths = await fetchDataSet({ dataSet: small, directory, mirror });
    expect(gunzipSync(readFileSync(paths[0]!)).toString()).toBe(table);
    expect(readFileSync(paths[1]!, 'utf8')).toBe('a,b\n3,4\n');
    expect(readdirSync(directory)).toEqual(['small']);
    expect(await fetchDataSet({ dataSet: small, directory, mirror })).toEqual(paths);
    expect(asked).toEqual(['/mirror/static/small.zip']);
  });

  test('goes on where a broken download stopped', async () => {
    let range: string | undefined;
    writeFileSync(join(directory, 'small.zip.part'), archive.subarray(0, 40));
    const mirror = await serve((request, response) => {
      range = request.headers.range;
      response.writeHead(206).end(archive.subarray(40));
    });
    await fetchDataSet({ dataSet: small, directory, mirror });
    expect(range).toBe('bytes=40-');
  });

  test('starts anew where the server knows no ranges, and keeps what arrived when the connection breaks', async () => {
    writeFileSync(join(directory, 'small.zip.part'), 'old bytes');
    const mirror = await serve((_, response) => {
      response.writeHead(200, { 'content-length': archive.length });
      response.write(archive.subarray(0, 50));
      const breakWhenWritten = (): void => {
        if (readFileSync(join(directory, 'small.zip.part')).length === 50) response.destroy();
        else setImmediate(breakWhenWritten);
      };
      breakWhenWritten();
    });
    const error = await caught(fetchDataSet({ dataSet: small, directory, mirror }));
    expect(error).toMatchObject({
      code: 'DATA_FETCH_FAILED',
      message: containing('run it again'),
    });
    expect(readFileSync(join(directory, 'small.zip.part')).equals(archive.subarray(0, 50))).toBe(true);
  });

  test('refuses a content with another digest and keeps nothing of it', async () => {
    const forged = Buffer.from(
      zipSync({ 'table.csv': Buffer.from('a,b\n9,9\n'), 'site.data': Buffer.from('3,4\n') }),
    );
    const mirror = await serve((_, response) => response.end(forged));
    const error = await caught(fetchDataSet({ dataSet: small, directory, mirror }));
    expect(error).toMatchObject({
      code: 'DATA_HASH_MISMATCH',
      message: containing(sha256(table)),
    });
    expect(readdirSync(directory)).toEqual([]);
  });

  test('refuses what is no zip archive, and an archive without the file', async () => {
    const answers = [
      Buffer.from('<html>sorry</html>'),
      Buffer.from(zipSync({ 'table.csv': Buffer.from(table) })),
    ];
    const mirror = await serve((_, response) => response.end(answers.shift()));
    for (const text of ['not a whole zip file', 'has no site.data'])
      expect(await caught(fetchDataSet({ dataSet: small, directory, mirror }))).toMatchObject({
        code: 'DATA_FETCH_FAILED',
        message: containing(text),
      });
  });

  test('says what the server answered, and that nobody answered', async () => {
    const mirror = await serve((_, response) => response.writeHead(404).end());
    const refused = await caught(fetchDataSet({ dataSet: small, directory, mirror }));
    expect(refused).toMatchObject({
      code: 'DATA_FETCH_FAILED',
      message: containing('answered 404'),
    });
    const nobody = await caught(fetchDataSet({ dataSet: small, directory, mirror: 'http://127.0.0.1:1' }));
    expect(nobody).toMatchObject({ code: 'DATA_FETCH_FAILED', message: containing('--mirror') });
  });

  test('tells a person what to do where the publisher has no plain table', async () => {
    const error = await caught(fetchDataSet({ dataSet: dataSetNamed('credit-default'), directory }));
    expect(error).toMatchObject({ code: 'DATA_FETCH_FAILED', message: containing('.xls') });
    expect(String(error)).toContain(join(directory, 'credit-default/credit-default.csv.gz'));
  });

  test('knows only the names of the catalogue', () => {
    expect(() => dataSetNamed('imagenet')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
    expect(() => dataSetNamed('imagenet')).toThrow(/"imagenet": expected one of diabetes130, heart/);
  });

  test('a directory that cannot be made is named', async () => {
    const file = join(directory, 'file');
    writeFileSync(file, '');
    const error = await caught(fetchDataSet({ dataSet: small, directory: join(file, 'below') }));
    expect(error).toMatchObject({ code: 'DIRECTORY_UNWRITABLE' });
  });
});

describe('finding a data file', () => {
  test('looks in the named directory, then PARLEY_DATA, then the cache', async () => {
    const env = { PARLEY_DATA: '/from/env', XDG_CACHE_HOME: '/cache' };
    expect(dataDirectories(env, '/named')).toEqual(['/named', '/from/env', '/cache/parley/data']);
    expect(dataDirectories({ PARLEY_DATA: '', XDG_CACHE_HOME: '/cache' })).toEqual(['/cache/parley/data']);
    expect(dataCacheDirectory({})).toMatch(/\.cache\/parley\/data$/);
    writeFileSync(join(directory, 'x.csv'), '');
    expect(await resolveDataFile('x.csv', ['/nowhere', directory])).toBe(join(directory, 'x.csv'));
  });

  test('says where it looked and what to do', async () => {
    expect(await caught(resolveDataFile('heart/heart-va.csv', ['/nowhere', directory]))).toMatchObject({
      code: 'FILE_NOT_FOUND',
      message: containing(`/nowhere, ${directory}: name its directory with --data-dir or PARLEY_DATA`),
    });
  });
});

test('the catalogue names licence, citation and files of every set', () => {
  const text = describeDataSets();
  for (const { name, licence, citation, files } of dataSets)
    for (const part of [name, licence, citation, ...files.map(({ path }) => path)])
      expect(text).toContain(part);
});

describe.runIf(existsSync(real))('the real files', () => {
  test.each(dataSets.flatMap(({ files }) => files))('$path has the catalogued content', (file) => {
    const bytes = readFileSync(join(real, file.path));
    const content = file.path.endsWith('.gz') ? gunzipSync(bytes) : bytes;
    expect([content.length, sha256(content)]).toEqual([file.contentBytes, file.contentSha256]);
    expect(content.toString('utf8', 0, file.headerRow?.length ?? 0)).toBe(file.headerRow ?? '');
  });

  test('heart files come out of an archive of the original rows', async () => {
    const heart = dataSetNamed('heart');
    const originals = heart.files.map(({ path, member, headerRow }) => {
      const content = readFileSync(join(real, path));
      return [member, content.subarray(headerRow?.length)] as const;
    });
    const mirror = await serve((_, response) =>
      response.end(Buffer.from(zipSync(Object.fromEntries(originals)))),
    );
    const paths = await fetchDataSet({ dataSet: heart, directory, mirror });
    heart.files.forEach(({ path }, index) => {
      expect(readFileSync(paths[index]!).equals(readFileSync(join(real, path)))).toBe(true);
    });
  });
});
