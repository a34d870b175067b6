import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readTable } from '../../../client/index.ts';
import { encodeTable } from '../../../shared/data/encode.ts';
import { namedUsers } from '../../../shared/data/named-records.ts';
import { recordReader } from '../../../shared/data/read-record.ts';
import { columnsOf, type DataSchema, dataSchemaOf, parseDataSchema } from '../../../shared/data/schema.ts';
import { dataDirectory } from '../../support/simulated.ts';

function schemaOf(name: string): DataSchema {
  const file = `scenarios/catalog/schemas/${name}.yaml`;
  return dataSchemaOf(readFileSync(file, 'utf8'), file);
}

describe('a record read by its fields', () => {
  test.each([
    ['heart', 'heart/heart-cleveland.csv'],
    ['credit-default', 'credit-default/credit-default.csv.gz'],
  ])('has the inputs and labels that the table of %s has', async (name, file) => {
    const schema = schemaOf(name);
    const table = await readTable(join(dataDirectory, file), columnsOf(schema));
    const { shard } = encodeTable(schema, table);
    const reader = recordReader(schema);
    const read = new Float32Array(shard.features.length);
    const users = namedUsers(schema, table);
    const records = users.flatMap((user) => user.records);
    const faults = records.map((record, at) => reader.read(record, read, at * shard.numFeatures));
    expect(faults.filter((fault) => fault !== undefined)).toEqual([]);
    expect(Buffer.from(read.buffer).equals(Buffer.from(shard.features.buffer))).toBe(true);
    expect(users.flatMap(({ labels }) => labels)).toEqual([...shard.labels]);
  });

  test('of a text is what stands before the character asked for', () => {
    const schema = parseDataSchema(
      {
        user: 'row',
        label: { type: 'next-character', column: 'text' },
        features: [{ type: 'characters', column: 'text', window: 3, vocabulary: 'abc' }],
      },
      'test',
    );
    const reader = recordReader(schema);
    const codes = (text: string): number[] => {
      const target = new Float32Array(3);
      expect(reader.read({ text }, target, 0)).toBeUndefined();
      return [...target];
    };
    expect([codes(''), codes('ab'), codes('abcba')]).toEqual([
      [0, 0, 0],
      [0, 1, 2],
      [3, 2, 1],
    ]);
    expect(reader.read({ text: 'xyz' }, new Float32Array(3), 0)).toMatchObject({ field: 'text' });
    expect(reader.takesEncoded).toBe(true);
    expect(reader.readEncoded([1, 2], new Float32Array(3), 0)).toMatchObject({ field: 'encoded' });
  });

  test('of images comes as pixels within their bounds', () => {
    const reader = recordReader(schemaOf('mnist-writers'));
    const pixels = Array.from({ length: 784 }, (_, pixel) => pixel % 2);
    const target = new Float32Array(784);
    expect(reader.readEncoded(pixels, target, 0)).toBeUndefined();
    expect([...target]).toEqual(pixels);
    for (const bad of [-0.5, 1.5, Number.NaN, 1e300])
      expect(reader.readEncoded(pixels.with(28, bad), target, 0)).toMatchObject({ field: 'pixel 1,0' });
    const [field = ''] = reader.fields;
    expect(reader.read({ [field]: 3 }, target, 0)).toMatchObject({ field });
  });

  test('takes no inherited field for a given one', () => {
    const reader = recordReader(schemaOf('heart'));
    const [field = ''] = reader.fields;
    const inheriting = Object.create({ [field]: '1' }) as Record<string, unknown>;
    expect(reader.read(inheriting, new Float32Array(100), 0)).toMatchObject({
      field,
      code: 'DATA_COLUMN_MISSING',
    });
  });
});
