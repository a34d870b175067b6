import { type Kysely, sql } from 'kysely';
import { z } from 'zod';
import { ParleyError } from '../shared/errors.ts';
import type { Rng } from '../shared/random/rng.ts';
import { corrupt } from './ledger-chain.ts';
import { blob, textOf } from './ledger-columns.ts';
import type { Tables } from './ledger-database.ts';

/** Whether releases of a ledger are drawn from the operating system's randomness, or from a seed and so not private. */
export type GeneratorKind = Rng['kind'];

const Kind = z.enum(['secure', 'seeded']);

/**
 * The kind of generator that a ledger's releases are drawn from; none in a ledger of before that no client has opened since.
 *
 * @throws LEDGER_CORRUPT when it names no kind.
 */
export async function generatorOf(db: Kysely<Tables>, path: string): Promise<GeneratorKind | undefined> {
  const { rows } = await sql`select 1 from sqlite_schema where name = 'generator'`.execute(db);
  if (rows.length === 0) return undefined;
  const row = await db.selectFrom('generator').select(blob('kind').as('kind')).executeTakeFirst();
  if (!row) return undefined;
  const kind = Kind.safeParse(textOf(new Uint8Array(row.kind ?? [])));
  if (!kind.success) throw corrupt(`${path}: the kind of randomness that it was made with cannot be read`);
  return kind.data;
}

/**
 * Let only clients of one kind go on with a ledger: its first one stamps it. A ledger of before has no stamp and is taken as of the
 * kind that opens it first.
 *
 * @throws CONFIG_INVALID when it is of the other kind; LEDGER_CORRUPT when its stamp cannot be read.
 */
export async function claimFor(kind: GeneratorKind, db: Kysely<Tables>, path: string): Promise<void> {
  const stamped = await generatorOf(db, path);
  if (stamped === undefined) await db.insertInto('generator').values({ position: 0, kind }).execute();
  else assertIsOf(kind, stamped, path);
}

/**
 * @throws CONFIG_INVALID when a ledger that is `stamped` is not of this kind.
 */
export function assertIsOf(kind: GeneratorKind, stamped: GeneratorKind, path: string): void {
  if (kind === stamped) return;
  throw new ParleyError(
    'CONFIG_INVALID',
    stamped === 'seeded'
      ? `the ledger ${path} is one of a simulation, and this site is real (its configuration has no seed): what was released from a ` +
          'seed is not private, and must not count as if it were; expected a ledger of real releases: name another file under `ledger`'
      : `the ledger ${path} is one of a real site, and this one is simulated (its configuration has a seed): what a simulation releases ` +
          'is not private, and must not stand beside what is; expected a ledger of simulations: name another file under `ledger`',
  );
}
