import type { Kysely } from 'kysely';
import { sha256 } from '../shared/crypto/encoding.ts';
import { Sha256 } from '../shared/units.ts';
import { corrupt } from './ledger-chain.ts';
import { blob } from './ledger-columns.ts';
import type { Tables } from './ledger-database.ts';

/**
 * What was drawn once for a run: its audit coins under its id, its mislabelled canaries and its table's hash under the id with a
 * word after a blank, which no id holds. Drawn and kept where the key has none yet. Throws LEDGER_CORRUPT when it was changed.
 */
export async function drawnOnce(
  db: Kysely<Tables>,
  key: string,
  draw: () => Int32Array,
): Promise<Int32Array> {
  const row = await db
    .selectFrom('roles')
    .select([blob('bytes').as('bytes'), blob('sha256').as('sha256')])
    .where('run', '=', key)
    .executeTakeFirst();
  if (!row) return kept(db, key, draw());
  const bytes = new Uint8Array(row.bytes ?? []);
  if (sha256(bytes) !== Buffer.from(row.sha256 ?? []).toString('latin1'))
    throw corrupt(`the audit coins of run ${key} were changed`);
  return new Int32Array(bytes.buffer);
}

/** A hash that is kept in the same way: the given one where the key has none yet. Throws as {@link drawnOnce}. */
export async function keptHash(db: Kysely<Tables>, key: string, hash: Sha256): Promise<Sha256> {
  const kept = await drawnOnce(
    db,
    key,
    () => new Int32Array(Uint8Array.from(Buffer.from(hash, 'hex')).buffer),
  );
  return Sha256.parse(Buffer.from(kept.buffer, kept.byteOffset, kept.byteLength).toString('hex'));
}

async function kept(db: Kysely<Tables>, key: string, drawn: Int32Array): Promise<Int32Array> {
  const bytes = Buffer.from(drawn.buffer, drawn.byteOffset, drawn.byteLength);
  await db
    .insertInto('roles')
    .values({ run: key, bytes, sha256: sha256(bytes) })
    .execute();
  return drawn;
}
