import { type RawBuilder, sql } from 'kysely';

/**
 * A column as bytes. The ledger's columns are read as integers and bytes only, and texts decoded by {@link textOf}: a damaged value
 * may have any type, and a text that is not UTF-8 would end the process inside the database.
 */
export function blob(column: string): RawBuilder<Uint8Array | null> {
  return sql`cast(${sql.ref(column)} as blob)`;
}

/** UTF-8 text. Throws TypeError for bytes that are none. */
export function textOf(bytes: Uint8Array): string {
  return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
}
