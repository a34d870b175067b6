import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type NewRelease, openLedger } from '../../../client/ledger.ts';
import { type Chain, extended } from '../../../client/ledger-chain.ts';
import { sha256 } from '../../../shared/crypto/encoding.ts';
import { MechanismEvent } from '../../../shared/privacy/accounting/event.ts';
import type { LedgerPosition } from '../../../shared/protocol/ledger-position.ts';
import { RoundIndex } from '../../../shared/units.ts';
import { run } from '../../support/a-site.ts';
import { alterLedger, copyOf, type LedgerFiles, layOut } from '../../support/ledger-files.ts';
import { refusalOf, temporaryFolder } from '../../support/temporary.ts';

const event = MechanismEvent.parse({ type: 'gaussian', noiseMultiplier: 3 });

function aRelease(round: number, bytes = Uint8Array.of(round, 1)): NewRelease {
  return { run, round: RoundIndex.parse(round), planSha256: sha256(`plan ${round}`), event, bytes };
}

interface History {
  /** Where the ledger lies, closed, with four releases. */
  readonly path: string;
  /** Files as they were when it had two releases, its client running: the newest entries only in the log. */
  readonly running: LedgerFiles;
  /** The same after it was closed. */
  readonly rested: LedgerFiles;
  /** What the coordinator saw last. */
  readonly seen: LedgerPosition;
}

async function aHistory(): Promise<History> {
  const path = join(temporaryFolder(), 'ledger.sqlite');
  let ledger = await openLedger(path);
  for (const round of [0, 1]) await ledger.commit(aRelease(round));
  const running = copyOf(path);
  await ledger.close();
  const rested = copyOf(path);
  ledger = await openLedger(path);
  for (const round of [2, 3]) await ledger.commit(aRelease(round));
  const seen = ledger.position();
  await ledger.close();
  return { path, running, rested, seen };
}

/** Put other files in the place of a ledger's. What is not given is removed, but for the mark, which stays. */
function replaced(path: string, files: LedgerFiles): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(path + suffix, { force: true });
  layOut(path, files);
}

type Attempt = (history: History) => void | Promise<void>;

const newestRows = ['release', 'entry'].map((table) => `delete from ${table} where round > 1`);

/** A chain of the same length that says that round 3 never was, hashed by the rules. */
function rechained(): string[] {
  let chain: Chain = { records: [], hashes: [], entries: [] };
  const inserts = [0, 1, 2, 7].map((round) => {
    const next = extended(chain, {
      run,
      round: RoundIndex.parse(round),
      timeMs: round,
      planSha256: sha256('another plan'),
      event,
      releaseSha256: sha256(Uint8Array.of(round, 1)),
      noiseStateSha256: undefined,
      usersSha256: undefined,
    });
    chain = next.chain;
    const values = Object.values(next.row).map((value) => (value === null ? 'null' : `'${value}'`));
    return `insert into entry (${Object.keys(next.row).join()}) values (${values.join()})`;
  });
  return ['update release set round = 7 where round = 3', 'delete from entry', ...inserts];
}

const noticedBySite: readonly (readonly [string, string, Attempt])[] = [
  [
    'an older copy of the file',
    'LEDGER_ROLLBACK',
    ({ path, running }) => {
      replaced(path, { main: running.main });
    },
  ],
  [
    'an older copy of file and log',
    'LEDGER_ROLLBACK',
    ({ path, running }) => {
      replaced(path, { main: running.main, wal: running.wal });
    },
  ],
  [
    'an older copy taken at rest',
    'LEDGER_ROLLBACK',
    ({ path, rested }) => {
      replaced(path, { main: rested.main });
    },
  ],
  [
    'an older copy where there is no mark',
    'LEDGER_ROLLBACK',
    ({ path, rested }) => {
      replaced(path, { main: rested.main });
      rmSync(`${path}.mark`);
    },
  ],
  [
    'the newest rows deleted',
    'LEDGER_ROLLBACK',
    ({ path }) => {
      alterLedger(path, ...newestRows);
    },
  ],
  [
    'another chain of the same length, hashed anew',
    'LEDGER_ROLLBACK',
    ({ path }) => {
      alterLedger(path, ...rechained());
    },
  ],
  [
    'an empty file',
    'LEDGER_ROLLBACK',
    ({ path }) => {
      replaced(path, { main: new Uint8Array(0) });
    },
  ],
  [
    'no file',
    'LEDGER_ROLLBACK',
    ({ path }) => {
      replaced(path, {});
    },
  ],
];

/** All that the site has is old or forked: only somebody who saw more can tell. */
const noticedByCoordinator: readonly (readonly [string, Attempt])[] = [
  [
    'file, log and mark restored together, as a snapshot of the machine does',
    ({ path, running }) => {
      replaced(path, running);
    },
  ],
  [
    'a copy with its mark that went on in another place',
    async ({ path, rested }) => {
      replaced(path, rested);
      const forked = await openLedger(path);
      await forked.commit(aRelease(2));
      await forked.commit(aRelease(3, Uint8Array.of(77)));
      await forked.close();
    },
  ],
];

describe('ten ways to bring an older ledger back', () => {
  test.each(noticedBySite)('%s: the site does not start', async (_what, code, attempt) => {
    const history = await aHistory();
    await attempt(history);
    expect(await refusalOf(openLedger(history.path))).toMatchObject({
      code,
      message: expect.stringContaining('Bring back the newest copy of the ledger') as unknown,
    });
  });

  test.each(noticedByCoordinator)(
    '%s: it no longer holds what the coordinator saw',
    async (_what, attempt) => {
      const history = await aHistory();
      const untouched = await openLedger(history.path);
      expect(untouched.holds(history.seen)).toBe(true);
      await untouched.close();
      await attempt(history);
      const ledger = await openLedger(history.path);
      expect(ledger.holds(history.seen)).toBe(false);
      await ledger.close();
    },
  );
});
