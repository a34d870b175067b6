import Database from 'libsql';
import { z } from 'zod';
import { MechanismEvent } from '../../shared/privacy/accounting/event.ts';

const Row = z.object({
  run: z.string(),
  round: z.number(),
  event: z.string(),
  release_sha256: z.string(),
  bytes: z.instanceof(ArrayBuffer),
});

/** A site's ledger as an outsider reads it from the disk: every release with its event and bytes, in order. */
export function ledgerRows(file: string): {
  run: string;
  round: number;
  event: MechanismEvent;
  releaseSha256: string;
  bytes: Uint8Array;
}[] {
  const database = new Database(file, { readonly: true });
  try {
    const rows = database
      .prepare(
        'select e.run, e.round, e.event, e.release_sha256, r.bytes from entry e join release r using (run, round) order by position',
      )
      .all();
    return z
      .array(Row)
      .parse(rows)
      .map(({ run, round, event, release_sha256, bytes }) => ({
        run,
        round,
        event: MechanismEvent.parse(JSON.parse(event)),
        releaseSha256: release_sha256,
        bytes: new Uint8Array(bytes),
      }));
  } finally {
    database.close();
  }
}
