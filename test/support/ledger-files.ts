import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'libsql';
import { z } from 'zod';
import { type NewRelease, openLedger } from '../../client/ledger.ts';
import { sha256 } from '../../shared/crypto/encoding.ts';
import { MechanismEvent } from '../../shared/privacy/accounting/event.ts';
import { Signed } from '../../shared/protocol/messages.ts';
import { RoundIndex } from '../../shared/units.ts';
import { run } from './a-site.ts';
import { temporaryFolder } from './temporary.ts';

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
  const rows = read(
    file,
    'select e.run, e.round, e.event, e.release_sha256, r.bytes from entry e join release r using (run, round) order by position',
  );
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
}

/** The coordinator's receipts in a site's ledger, as they were signed. */
export function ledgerReceipts(file: string): Signed[] {
  const column = z.array(z.object({ receipt: z.string() }));
  return column
    .parse(read(file, 'select receipt from receipt'))
    .map(({ receipt }) => Signed.parse(JSON.parse(receipt)));
}

/** The hash of every entry of a site's ledger, in order. */
export function ledgerHashes(file: string): string[] {
  const column = z.array(z.object({ hash: z.string() }));
  return column.parse(read(file, 'select hash from entry order by position')).map(({ hash }) => hash);
}

function read(file: string, query: string): unknown {
  const database = new Database(file, { readonly: true });
  try {
    return database.prepare(query).all();
  } finally {
    database.close();
  }
}

/** Everything of a ledger that lies on the disk, without what SQLite makes anew. */
export interface LedgerFiles {
  readonly main?: Uint8Array | undefined;
  readonly wal?: Uint8Array | undefined;
  readonly mark?: Uint8Array | undefined;
}

const suffixes = { main: '', wal: '-wal', mark: '.mark' } as const;

/** Copy a ledger's files, also while it is open: what a crash at this moment would leave. */
export function copyOf(ledger: string): LedgerFiles {
  const read = (path: string): Uint8Array | undefined => (existsSync(path) ? readFileSync(path) : undefined);
  return {
    main: read(ledger + suffixes.main),
    wal: read(ledger + suffixes.wal),
    mark: read(ledger + suffixes.mark),
  };
}

/** Lay copied files out as the ledger of this path, which has none yet. */
export function layOut(ledger: string, files: LedgerFiles): void {
  for (const part of ['main', 'wal', 'mark'] as const) {
    const content = files[part];
    if (content) writeFileSync(ledger + suffixes[part], content);
  }
}

/** Do something to a ledger with SQL, as somebody at the site could. */
export function alterLedger(ledger: string, ...statements: readonly string[]): void {
  const database = new Database(ledger);
  for (const statement of statements) database.exec(statement);
  database.close();
}

export const gaussian = MechanismEvent.parse({ type: 'gaussian', noiseMultiplier: 3 });
export const sampled = MechanismEvent.parse({
  type: 'poisson-subsampled-gaussian',
  noiseMultiplier: 1.5,
  samplingRate: 0.125,
});

/** A release of five bytes, with something changed. */
export function aRelease(round: number, change: Partial<NewRelease> = {}): NewRelease {
  return {
    run,
    round: RoundIndex.parse(round),
    planSha256: sha256(`plan ${round}`),
    event: round % 2 === 0 ? sampled : gaussian,
    bytes: Uint8Array.of(round, 2, 3, 255, 0),
    ...change,
  };
}

/** A ledger of three rounds that was closed again. */
export async function threeRounds(): Promise<string> {
  const path = join(temporaryFolder(), 'ledger.sqlite');
  const ledger = await openLedger(path);
  for (const round of [0, 1, 2]) await ledger.commit(aRelease(round));
  await ledger.close();
  return path;
}
