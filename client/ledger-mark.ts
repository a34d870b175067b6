import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { ParleyError } from '../shared/errors.ts';
import { parsedJson } from '../shared/protocol/json.ts';
import { LedgerPosition } from '../shared/protocol/ledger-position.ts';
import { type Chain, corrupt, headOf, holds, positionOf } from './ledger-chain.ts';
import { ownerOnly } from './ledger-secrecy.ts';

/**
 * The high-water mark: a small file beside the ledger with the newest position from which anything may have been sent. An
 * entry is durable first, then the mark, and only then do its bytes leave, so the mark is never ahead of what was
 * committed, and a ledger that does not reach it has lost releases that may have been sent. It cannot tell when ledger and
 * mark are restored together (a snapshot of the machine); the coordinator, who has seen the head, can.
 */
export function markPath(ledger: string): string {
  return `${ledger}.mark`;
}

/**
 * The mark of a ledger, if it has one.
 *
 * @throws LEDGER_CORRUPT when it cannot be read.
 */
export function readMark(ledger: string): LedgerPosition | undefined {
  const path = markPath(ledger);
  if (!existsSync(path)) return undefined;
  const mark = LedgerPosition.safeParse(parsedJson(readFileSync(path, 'utf8')));
  if (!mark.success) throw corrupt(`${path}, which says how far the ledger had come, cannot be read`);
  return mark.data;
}

/**
 * @throws LEDGER_ROLLBACK when the ledger does not reach its mark, holds something else there, or has entries but no mark.
 */
export function assertReachesMark(chain: Chain, mark: LedgerPosition | undefined, ledger: string): void {
  const length = chain.records.length;
  if (!mark && length > 0)
    throw rollback(
      `${ledger} has ${length} entries, and ${markPath(ledger)}, which says how far it had come, is missing`,
      `. If only that file was lost and no release was made since, an administrator can write it anew: ` +
        JSON.stringify({ length, head: headOf(chain) }),
    );
  if (!mark || holds(chain, mark)) return;
  const found = mark.length > length ? `has ${length}` : 'has another history';
  throw rollback(`${ledger} has had ${mark.length} entries up to ${mark.head} and now ${found}`);
}

/**
 * What makes the mark durable when the chain has grown since it was last written; it throws DIRECTORY_UNWRITABLE.
 *
 * @throws LEDGER_CORRUPT when the mark cannot be read.
 */
export function markKeeper(ledger: string): (chain: Chain) => void {
  let marked = readMark(ledger);
  return (chain) => {
    if (marked?.length === chain.records.length) return;
    marked = undefined;
    writeMark(ledger, positionOf(chain));
    marked = positionOf(chain);
  };
}

/** After a crash the file is the old one or the new one. */
function writeMark(ledger: string, position: LedgerPosition): void {
  const path = markPath(ledger);
  try {
    durably(`${path}.new`, 'w', (file) => writeSync(file, JSON.stringify(position)));
    renameSync(`${path}.new`, path);
    durably(dirname(path), 'r', () => 0);
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new ParleyError(
      'DIRECTORY_UNWRITABLE',
      `${path} cannot be written (${reason}), so nothing is sent; make room or correct its permissions`,
      { cause },
    );
  }
}

function durably(path: string, flags: 'r' | 'w', work: (file: number) => number): void {
  const file = openSync(path, flags, ownerOnly);
  try {
    work(file);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function rollback(what: string, more = ''): ParleyError {
  return new ParleyError(
    'LEDGER_ROLLBACK',
    `${what}: releases may be missing from it, and so what they cost. Bring back the newest copy of the ledger${more}`,
  );
}
