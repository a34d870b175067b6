import { readFileSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { z } from 'zod';
import {
  chunkBytes,
  Decline,
  Notice,
  Offer,
  Receipt,
  Reply,
  Request,
} from '../../../shared/protocol/messages.ts';
import { EnrolTask, Farewell, Plan, protocolVersion, ScoreTask } from '../../../shared/protocol/plan.ts';
import { RoundReport } from '../../../shared/protocol/report.ts';

const file = new URL('../../../docs/protocol-schema.json', import.meta.url);
const schemas = {
  Notice,
  Request,
  Reply,
  Plan,
  ScoreTask,
  EnrolTask,
  Offer,
  Decline,
  Receipt,
  Farewell,
  RoundReport,
};

describe('protocol schema', () => {
  test('is the committed one; run with UPDATE_PROTOCOL_SCHEMA=1 after a deliberate change', () => {
    const current = {
      protocolVersion,
      ...Object.fromEntries(
        Object.entries(schemas).map(([name, schema]) => [
          name,
          z.toJSONSchema(schema, { unrepresentable: 'any' }),
        ]),
      ),
    };
    const text = `${JSON.stringify(current, null, 1)}\n`;
    if (process.env['UPDATE_PROTOCOL_SCHEMA'] === '1') writeFileSync(file, text);
    expect(text).toBe(readFileSync(file, 'utf8'));
  });

  test('every message type has a row in docs/protocol.md', () => {
    const document = readFileSync(new URL('../../../docs/protocol.md', import.meta.url), 'utf8');
    const types = [Notice, Request, Reply].flatMap(({ options }) =>
      options.map(({ shape }) => shape.type.value),
    );
    expect(types.filter((type) => !document.includes(`| \`${type}\` |`))).toEqual([]);
  });

  test('a refusal carries a code of the table, and nothing that merely every object has', () => {
    const refused = (code: string): unknown => ({ type: 'refused', code, detail: '' });
    expect(Reply.safeParse(refused('STALE_ROUND')).success).toBe(true);
    for (const code of ['toString', '__proto__', 'constructor', 'NO_SUCH_CODE', ''])
      expect(Reply.safeParse(refused(code)).success).toBe(false);
  });

  test('chunks have 1 to chunkBytes bytes', () => {
    const piece = { type: 'piece', offset: 0, totalBytes: 9, prefixSha256: '0'.repeat(64) };
    const holds = (length: number): boolean =>
      Reply.safeParse({ ...piece, bytes: new Uint8Array(length) }).success;
    expect([0, 1, chunkBytes, chunkBytes + 1].map(holds)).toEqual([false, true, true, false]);
  });
});
