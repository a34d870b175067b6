import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { afterAll, describe, expect, test } from 'vitest';
import { loadShard, readDataSchema, sharedReads } from '../../../client/load-shard.ts';
import { readSchemaTable, readTable } from '../../../client/read-table.ts';
import { parseDataSchema } from '../../../shared/data/schema.ts';

const directory = mkdtempSync(join(tmpdir(), 'parley-tables-'));
afterAll(() => {
  rmSync(directory, { recursive: true });
});
const written = (name: string, content: string | Uint8Array): string => {
  const file = join(directory, name);
  writeFileSync(file, content);
  return file;
};
const containing = (text: string): unknown => expect.stringContaining(text);
const caught = async (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => 'nothing thrown',
    (error: unknown) => error,
  );

const text = 'id,x,c,y,site\np,1.5,a,yes,N\nq,-2,b,no,S\np,,a,no,S\nr,3e2,"b",yes,\n';
const csv = written('t.csv', text);
const gz = written('t.csv.gz', gzipSync(text));
const parquetColumns = [
  { name: 'id', data: ['p', 'q', 'p', 'r'] },
  { name: 'x', data: [1.5, -2, null, 300], type: 'DOUBLE' as const },
  { name: 'c', data: ['a', 'b', 'a', 'b'] },
  { name: 'y', data: ['yes', 'no', 'no', 'yes'] },
  { name: 'site', data: ['N', 'S', 'S', null] },
];
const parquetBytes = new Uint8Array(parquetWriteBuffer({ columnData: parquetColumns }));
const parquet = written('t.parquet', parquetBytes);

const schema = parseDataSchema(
  {
    user: { column: 'id' },
    label: { type: 'binary', column: 'y', positive: ['yes'], negative: ['no'] },
    features: [
      { type: 'numeric', column: 'x', min: -10, max: 1000, missing: 'indicator' },
      { type: 'categorical', column: 'c', vocabulary: ['a', 'b'] },
    ],
    site: { column: 'site' },
  },
  's.yaml',
);

describe('reading a table', () => {
  test('CSV, gzipped CSV and Parquet give the same shard', async () => {
    const [plain, zipped, columnar] = await Promise.all(
      [csv, gz, parquet].map((file) => loadShard({ file, schema })),
    );
    expect(zipped).toEqual(plain);
    expect(columnar).toEqual(plain);
    expect(plain?.userIds).toEqual(['p', 'q', 'r']);
  });

  test('keeps only the columns asked for, from every format', async () => {
    for (const file of [csv, gz, parquet]) {
      const table = await readTable(file, ['y', 'id']);
      expect(table.header).toEqual(['id', 'y']);
      expect(table.rows[1]).toEqual(['q', 'no']);
      expect(table.source).toBe(file);
    }
  });

  test('goes by the content, not by the name', async () => {
    expect((await readTable(written('named.csv', parquetBytes))).rows).toHaveLength(4);
    expect((await readTable(written('named.parquet', text))).rows).toHaveLength(4);
  });

  test('writes Parquet values as a CSV file would', async () => {
    const when = new Date('2020-02-03T04:05:06Z');
    const file = written(
      'types.parquet',
      new Uint8Array(
        parquetWriteBuffer({
          columnData: [
            { name: 'big', data: [2n ** 60n], type: 'INT64' },
            { name: 'flag', data: [true], type: 'BOOLEAN' },
            { name: 'when', data: [when], type: 'TIMESTAMP' },
            { name: 'whole', data: [7], type: 'INT32' },
          ],
        }),
      ),
    );
    expect((await readTable(file)).rows).toEqual([['1152921504606846976', 'true', when.toISOString(), '7']]);
  });

  test('a Parquet file has rows but no lines, and misses columns like any other', async () => {
    const strict = { ...schema, features: [{ ...schema.features[0]!, missing: 'refuse' as const }] };
    const error = await caught(loadShard({ file: parquet, schema: strict }));
    expect(error).toMatchObject({
      code: 'DATA_VALUE_INVALID',
      message: containing('row 3, column "x"'),
    });
    const other = { ...schema, user: { column: 'patient' } };
    expect(await caught(loadShard({ file: parquet, schema: other }))).toMatchObject({
      code: 'DATA_COLUMN_MISSING',
    });
  });

  test('a missing column is told with all names of the file, and with the one that it may be', async () => {
    const other = { ...schema, user: { column: 'ID' } };
    for (const file of [csv, gz, parquet])
      expect(await caught(loadShard({ file, schema: other }))).toMatchObject({
        code: 'DATA_COLUMN_MISSING',
        message: expect.stringMatching(
          /"id" differs from "ID" only in case or surrounding spaces; .* names "id", "x", .*"y"/,
        ) as unknown,
      });
    const many = Array.from({ length: 34 }, (_, index) => `column ${index}`);
    const wide = written('wide.csv', `${[' y ', ...many].join(',')}\n`);
    const error = await caught(loadShard({ file: wide, schema }));
    expect(error).toMatchObject({ message: containing('" y " differs from "y" only in case') });
    expect(error).toMatchObject({ message: containing('names " y ", "column 0", "column 1"') });
    expect(error).toMatchObject({ message: containing('"column 28" and 5 more; rename') });
  });

  test.each([
    ['missing.csv', undefined, 'FILE_NOT_FOUND', 'missing.csv cannot be read'],
    ['empty.csv', '', 'DATA_EMPTY', 'is empty'],
    ['cut.gz', gzipSync(text).subarray(0, 30), 'DATA_VALUE_INVALID', 'starts like a gzip file'],
    ['cut.parquet', parquetBytes.subarray(0, 60), 'DATA_VALUE_INVALID', 'starts like a Parquet file'],
    ['latin1.csv', Buffer.from('a,b\n1,\xe9\n', 'latin1'), 'DATA_VALUE_INVALID', 'neither Parquet nor UTF-8'],
  ])('refuses %s', async (name, content, code, message) => {
    const file = content === undefined ? join(directory, name) : written(name, content);
    expect(await caught(readTable(file))).toMatchObject({ code, message: containing(message) });
  });
});

describe('loading a site', () => {
  test('sites that load at the same time share one read, later ones read anew', async () => {
    const asked: string[] = [];
    const read = sharedReads((file, declared) => {
      asked.push(file);
      return readSchemaTable(file, declared);
    });
    const sites = [0, 1].map((index) => ({ type: 'hash', sites: 2, index }) as const);
    const load = (file: string, declared = schema) =>
      Promise.all(sites.map((site) => loadShard({ file, schema: declared, site, read })));
    const both = await Promise.all([load(csv), load(gz)]);
    expect(asked).toEqual([csv, gz]);
    const alone = await Promise.all(sites.map((site) => loadShard({ file: csv, schema, site })));
    expect(both).toEqual([alone, alone]);
    const changed = { ...schema, features: schema.features.slice(1) };
    const [twice] = await Promise.all([load(csv), load(csv, changed)]);
    expect(twice).toEqual(alone);
    expect(asked).toHaveLength(4);
  });

  test('reads the image file beside the table, plain or gzipped, and says when it is not there', async () => {
    const idx = Uint8Array.of(0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 255, 51, 0);
    written('plain.idx', idx);
    written('zipped.idx.gz', gzipSync(idx));
    const file = written('images.csv', 'n,y\n1,yes\n0,no\n');
    const load = (name: string) => {
      const image = { type: 'image', column: 'n', file: name, height: 1, width: 2, scaling: 'unit' };
      const label = { type: 'binary', column: 'y', positive: ['yes'], negative: ['no'] };
      return loadShard({
        file,
        schema: parseDataSchema({ user: 'row', label, features: [image] }, 's.yaml'),
      });
    };
    for (const name of ['plain.idx', 'zipped.idx.gz'])
      expect((await load(name)).features).toEqual(Float32Array.of(0.2, 0, 0, 1));
    expect(await caught(load('gone.idx'))).toMatchObject({
      code: 'FILE_NOT_FOUND',
      message: containing('expected an IDX file of images'),
    });
    expect(await caught(load('images.csv'))).toMatchObject({
      code: 'DATA_VALUE_INVALID',
      message: containing('not a file of IDX images'),
    });
  });

  test('by hash, the sites of one file share out its users', async () => {
    const rules = [0, 1, 2].map((index) => ({ type: 'hash', sites: 3, index }) as const);
    const loaded = await Promise.all(
      rules.map((site) => loadShard({ file: csv, schema, site }).catch(() => ({ userIds: [] }))),
    );
    expect(loaded.flatMap(({ userIds }) => [...userIds]).sort()).toEqual(['p', 'q', 'r']);
  });

  test("by the site column of the user's first record", async () => {
    const of = (value: string) => loadShard({ file: csv, schema, site: { type: 'column', value } });
    expect((await of('N')).userIds).toEqual(['p']);
    expect((await of('N')).labels).toHaveLength(2);
    expect((await of('missing')).userIds).toEqual(['r']);
    expect(await caught(of('W'))).toMatchObject({
      code: 'DATA_EMPTY',
      message: containing('such as "N", "S", "missing"'),
    });
  });

  test('by the number of the row, which spreads the records of one person', async () => {
    const rows = Array.from({ length: 60 }, (_, row) => `${row % 7},${row},a,yes,N\n`);
    const file = written('spread.csv', `id,x,c,y,site\n${rows.join('')}`);
    const parts = await Promise.all(
      [0, 1, 2].map((index) => loadShard({ file, schema, site: { type: 'spread', sites: 3, index } })),
    );
    expect(parts.reduce((sum, { labels }) => sum + labels.length, 0)).toBe(60);
    for (const { userIds, labels } of parts) {
      expect(userIds.length).toBeGreaterThan(3);
      expect(labels.length).toBeGreaterThan(10);
    }
    expect(new Set(parts.flatMap(({ userIds }) => userIds)).size).toBe(7);
    const whole = await loadShard({ file, schema });
    const values = ({ features, numFeatures }: typeof whole): number[] =>
      [...features].filter((_, index) => index % numFeatures === 0);
    expect(parts.flatMap(values).sort()).toEqual(values(whole).sort());
    const byRow = { ...schema, user: 'row' as const };
    expect(
      await caught(loadShard({ file, schema: byRow, site: { type: 'spread', sites: 3, index: 0 } })),
    ).toMatchObject({ code: 'DATA_SCHEMA_INVALID', message: containing('every row is a user') });
  });

  test('a column rule needs a site column in the schema', async () => {
    const { user, label, features, ...rest } = schema;
    const without = {
      user,
      label,
      features,
      subpopulations: [],
      drop: [],
      missingMarkers: rest.missingMarkers,
    };
    const work = loadShard({ file: csv, schema: without, site: { type: 'column', value: 'N' } });
    expect(await caught(work)).toMatchObject({ code: 'DATA_SCHEMA_INVALID' });
  });

  test('a schema file must be there, YAML, and a schema', async () => {
    const read = (name: string, content: string) => caught(readDataSchema(written(name, content)));
    expect(await caught(readDataSchema(join(directory, 'no.yaml')))).toMatchObject({
      code: 'FILE_NOT_FOUND',
    });
    expect(await read('bad.yaml', 'a: [1')).toMatchObject({
      code: 'DATA_SCHEMA_INVALID',
      message: containing('is not YAML'),
    });
    expect(await read('other.yaml', 'a: 1')).toMatchObject({ code: 'DATA_SCHEMA_INVALID' });
  });
});
