import { isUtf8 } from 'node:buffer';
import type { SqliteDatabase } from 'kysely';
import type Database from 'libsql';
import type { z } from 'zod';
import { ParleyError } from '../../shared/errors.ts';
import { faultsOf } from '../../shared/faults.ts';
import { parsedJson } from '../../shared/protocol/json.ts';
import { codeOf, column, definitions, isOfMachine, verdictOn } from '../../shared/sqlite.ts';

/** What a database failed with, as its user should hear it: RUN_NOT_FOUND, DIRECTORY_UNWRITABLE; a fault of ours as it is. */
export function refusalOf(error: unknown, path: string): unknown {
  if (error instanceof ParleyError || !(error instanceof Error)) return error;
  if (/^SQLITE_(CORRUPT|NOTADB)/.test(codeOf(error)) || /^no such table/.test(error.message))
    return damaged(path, error.message, error);
  return isOfMachine(error) ? unusable(path, error) : error;
}

/** DIRECTORY_UNWRITABLE for a database that the machine does not let us use. */
export function unusable(path: string, cause: unknown): ParleyError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new ParleyError(
    'DIRECTORY_UNWRITABLE',
    `the run's database ${path} cannot be used (${reason}): make room, correct its permissions, or end what holds it; then start again`,
    { cause },
  );
}

/**
 * What is stored as JSON, by its schema.
 *
 * @throws RUN_NOT_FOUND when it does not fit: `what` was changed, or is of another version.
 */
export function storedJson<T>(text: string, schema: z.ZodType<T>, at: { path: string; what: string }): T {
  const value = schema.safeParse(parsedJson(text));
  if (value.success) return value.data;
  const places = faultsOf(value.error, at.what).slice(0, 3);
  throw damaged(at.path, `its ${at.what} does not fit: ${places.join('; ')}`);
}

/**
 * Look through a whole database for what later queries would stumble over, or would not notice.
 *
 * @throws RUN_NOT_FOUND when it has other tables than these, is damaged, or holds text that is none; what SQLite throws.
 */
export function assertSound(
  database: Database.Database,
  { path, tables }: { readonly path: string; readonly tables: readonly string[] },
): void {
  const found = definitions(database);
  const ours = tables.filter((table) => found.includes(`CREATE TABLE ${table}`));
  if (ours.length < found.length)
    throw damaged(path, 'it has other tables than this version of Parley makes');
  const verdict = verdictOn(database);
  if (verdict !== 'ok') throw damaged(path, verdict.replaceAll(/\s+/g, ' '));
  for (const { table, text } of ours.flatMap(textColumns))
    for (const bytes of column(database, `select cast(${text} as blob) from ${table}`))
      if ((bytes instanceof Uint8Array || bytes instanceof ArrayBuffer) && !isUtf8(bytes))
        throw damaged(path, `${text} of its table ${table} is not text any more`);
}

/** The columns of text in a table's definition. */
function textColumns(definition: string): { readonly table: string; readonly text: string }[] {
  const [table = ''] = definition.split(' ');
  return [...definition.matchAll(/(\w+) text/g)].map(([, text = '']) => ({ table, text }));
}

/** The database with the failures of its queries as {@link refusalOf} says them. */
export function guarded(database: Database.Database, path: string): SqliteDatabase {
  const guard = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw refusalOf(error, path);
    }
  };
  return {
    close: () => {
      database.close();
    },
    prepare: (sql) => {
      const statement = guard(() => database.prepare(sql));
      return {
        reader: statement.reader,
        all: (parameters) => guard(() => statement.all(parameters)),
        run: (parameters) => guard(() => statement.run(parameters)),
        iterate: (parameters) => statement.iterate(parameters),
      };
    },
  };
}

function damaged(path: string, reason: string, cause?: unknown): ParleyError {
  return new ParleyError(
    'RUN_NOT_FOUND',
    `${path} is damaged, or of another version (${reason}): restore the run directory from a backup, or begin a new run in ` +
      "another directory; the sites' ledgers are apart from it and untouched",
    { cause },
  );
}
